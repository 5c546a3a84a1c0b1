/** The files of the packages: what they contain, and that nothing else is needed. */
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { least, outputs, providers } from "../support/plugin/componentCalls.ts";
import { startEngine } from "../support/plugin/engine.ts";
import { startMonitor } from "../support/plugin/monitor.ts";
import { Plugin } from "../support/plugin/plugin.ts";
import { program } from "../support/project.ts";

const run = promisify(execFile);
const { folder, tarball } = inject("built");
const library = join(folder, "npm");

/** The files below a folder with their contents, in order. */
function contents(of: string): [path: string, content: string, executable: boolean][] {
  return readdirSync(of, { recursive: true, encoding: "utf8" })
    .sort()
    .filter((path) => statSync(join(of, path)).isFile())
    .map((path) => [path, readFileSync(join(of, path), "utf8"), (statSync(join(of, path)).mode & 0o111) !== 0]);
}

test("two builds have the same bytes", async () => {
  const again = await mkdtemp(join(tmpdir(), "k8sauth-package-"));
  await run(process.execPath, [join(program, "package", "build.ts"), "--out", again], { cwd: program });
  for (const name of ["npm", "plugin"]) {
    expect(contents(join(again, name))).toEqual(contents(join(folder, name)));
    expect(contents(join(again, name)).length).toBeGreaterThan(5);
  }
  await rm(again, { recursive: true });
});

test("publint finds nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: library, strict: true, pack: "npm" });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("types resolve in every kind of project", async () => {
  const attw = join(program, "node_modules", "@arethetypeswrong", "cli", "dist", "index.js");
  const { stdout } = await run(process.execPath, [attw, tarball, "--format", "json"]).catch((error) => error);
  const { analysis, problems } = JSON.parse(stdout);
  expect(problems).toEqual({});
  expect(Object.keys(analysis.entrypoints)).toEqual([".", "./gateways", "./policy", "./package.json"]);
});

test("the name to publish under is the builder's choice; without one npm refuses to publish", async () => {
  expect(JSON.parse(readFileSync(join(library, "package.json"), "utf8"))).toMatchObject({ private: true });
  const named = await mkdtemp(join(tmpdir(), "k8sauth-package-"));
  const name = "@example/k8sauth";
  await run(process.execPath, [join(program, "package", "build.ts"), "--out", named, "--name", name], { cwd: program });
  const built = JSON.parse(readFileSync(join(named, "npm", "package.json"), "utf8"));
  expect(built).toMatchObject({ name, version: manifest.version });
  expect(built).not.toHaveProperty("private");
  expect(readFileSync(join(named, "npm", "README.md"), "utf8")).toContain(`from "${name}"`);
  await rm(named, { recursive: true });
});

test("every package in a bundle has its license beside it", () => {
  for (const [path, code] of contents(library).filter(([name]) => /\.(m?js|cjs)$/.test(name))) {
    const texts = readFileSync(
      join(library, path, "..", path.includes("verifier/") ? "verifier.licenses.txt" : "licenses.txt"),
      "utf8",
    );
    const bundled = new Set([...code.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)].map(([, name]) => name));
    for (const name of bundled) expect(texts, path).toMatch(new RegExp(`^${name} \\d`, "m"));
  }
});

test("a package with a choice of licenses is under the chosen one", () => {
  const texts = readFileSync(join(folder, "plugin", "licenses.txt"), "utf8");
  expect(texts).toMatch(/^node-forge [\d.]+ \(BSD-3-Clause\)$/m);
  expect(texts).not.toMatch(/^\S+ [\d.]+ \(.* OR .*\)$/m);
});

test("no file names a folder of the machine that built it", () => {
  const naming = contents(library).filter(([, text]) => text.includes(program) || text.includes(folder));
  expect(naming.map(([path]) => path)).toEqual([]);
});

test("the plugin runs from any folder, with the version and the schema of the sources", async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), "k8sauth-plugin-"));
  await cp(join(folder, "plugin"), elsewhere, { recursive: true });
  await using sources = await Plugin.start();
  await using plugin = await Plugin.start(undefined, process.env, join(elsewhere, "pulumi-resource-k8sauth"));
  expect(await plugin.version()).toBe(manifest.version);
  expect(await plugin.schema()).toEqual(await sources.schema());
  await rm(elsewhere, { recursive: true });
});

test("the plugin creates every component without any package of the sources", async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), "k8sauth-plugin-"));
  await cp(join(folder, "plugin"), elsewhere, { recursive: true });
  const [engine, monitor] = await Promise.all([startEngine(), startMonitor(outputs)]);
  {
    await using plugin = await Plugin.start(engine, process.env, join(elsewhere, "pulumi-resource-k8sauth"));
    for (const [name, args] of Object.entries(least)) {
      const { urn } = await plugin.construct(`k8sauth:index:${name}`, "it", args, monitor.address, { providers });
      expect(urn).toBe(`urn:pulumi:dev::test::k8sauth:index:${name}::it`);
    }
    const refused = { ...least.TokenReviewer, createNamespace: false };
    const call = plugin.construct("k8sauth:index:TokenReviewer", "it", refused, monitor.address, { providers });
    await expect(call).rejects.toMatchObject({
      details: expect.stringMatching(/^namespace: set the name of an existing/),
    });
  }
  const program = monitor.registered.find(({ type }) => type === "kubernetes:core/v1:ConfigMap")?.inputs.data;
  expect(Object.keys(program ?? {})).toEqual(expect.arrayContaining(["verifier.mjs", "verifier.licenses.txt"]));
  engine.stop();
  monitor.stop();
  await rm(elsewhere, { recursive: true });
});

/** A Node.js on the PATH that is too old. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .map((entry) => join(entry, "node"))
  .find((path) => existsSync(path) && Number(execFileSync(path, ["-p", "process.versions.node.split('.')[0]"])) < 24);

test.skipIf(oldNode === undefined)("on an old Node.js the plugin says which one it needs", () => {
  const start = join(folder, "plugin", "start.cjs");
  const { status, stderr } = spawnSync(oldNode ?? "", [start], { encoding: "utf8" });
  expect(stderr).toMatch(/^The k8sauth plugin needs Node\.js >= 24\.5, and \S*node is v\d/);
  expect(status).toBe(1);
});
