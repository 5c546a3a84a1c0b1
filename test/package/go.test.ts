/** The SDK that Pulumi generates for Go from the plugin's schema, compiled with a program that uses it. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { ensureProgram, type GoProgram } from "../../sandbox/build/build.ts";
import { runGo } from "../../sandbox/build/go.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";

const source = join(import.meta.dirname, "go");

/** Pulumi's own generator, as its language host for Go runs it. The host itself is not available as a Go module. */
const generator: GoProgram = { name: "gen-sdk-go", title: "Pulumi's generator of SDKs for Go", source };

test("a program in Go compiles against the generated SDK", { timeout: 900_000 }, async () => {
  const { command, env } = await ensurePulumi();
  const plugin = join(inject("built").folder, "plugin", "pulumi-resource-k8sauth");
  const { stdout: schema } = await promisify(execFile)(command, ["package", "get-schema", plugin], {
    env,
    maxBuffer: 10_000_000,
  });
  expect(JSON.parse(schema)).toMatchObject({ name: "k8sauth", version: manifest.version });

  const folder = await mkdtemp(join(tmpdir(), "k8sauth-go-"));
  const generating = spawn(await ensureProgram(generator), [folder], { stdio: ["pipe", "inherit", "inherit"] });
  generating.stdin?.end(schema);
  expect(await once(generating, "exit")).toEqual([0, null]);

  // The path from which the SDK imports its own packages, because the schema names none.
  const goMod = await readFile(join(source, "go.mod"), "utf8");
  const sdkModule = goMod.replace(/^module .*$/m, "module example.com/pulumi-k8sauth/sdk/go");
  await writeFile(join(folder, "go.mod"), sdkModule);
  await cp(join(source, "go.sum"), join(folder, "go.sum"));
  await mkdir(join(folder, "program"));
  await cp(join(source, "program.go.txt"), join(folder, "program", "main.go"));
  await runGo(["vet", "./..."], { cwd: folder, env: process.env });
  await rm(folder, { recursive: true });
});
