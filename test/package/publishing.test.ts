/** The archives of docs/publishing.md: Pulumi finds them on a web server by their names, and installs them. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { Plugin } from "../support/plugin/plugin.ts";
import { program } from "../support/project.ts";
import { emptyFolder, Project } from "./project.ts";

const plugin = join(inject("built").folder, "plugin");
let project: Project;
let home: string;
beforeAll(async () => {
  const folder = await emptyFolder();
  home = join(folder, "home");
  project = new Project(folder, "publishing", await ensurePulumi(), { PULUMI_HOME: home });
  await cp(join(program, "package.json"), join(folder, "package.json"));
  await mkdir(join(folder, "dist"));
  await cp(plugin, join(folder, "dist", "plugin"), { recursive: true });
  const page = await readFile(join(program, "docs", "publishing.md"), "utf8");
  const [, commands = ""] = /^```sh\n(version=.*?)^```$/ms.exec(page) ?? [];
  await promisify(execFile)("sh", ["-ec", commands], { cwd: folder });
});
afterAll(() => project?.[Symbol.asyncDispose]());

test("the commands write an archive for each operating system and processor", async () => {
  const names = (await readdir(join(project.folder, "dist"))).filter((name) => name.endsWith(".tar.gz")).sort();
  const targets = ["darwin-amd64", "darwin-arm64", "linux-amd64", "linux-arm64", "windows-amd64"];
  expect(names).toEqual(targets.map((target) => `pulumi-resource-k8sauth-v${manifest.version}-${target}.tar.gz`));
});

test("pulumi plugin install downloads the one for this machine, and it runs", async () => {
  const server = createServer(async ({ url = "" }, response) => {
    const archive = await readFile(join(project.folder, "dist", url)).catch(() => undefined);
    // Pulumi compares the length.
    response.writeHead(archive ? 200 : 404, { "content-length": archive?.length ?? 0 }).end(archive);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const args = ["plugin", "install", "resource", "k8sauth", manifest.version, "--server", url];
  const { status, output } = await project.pulumi(...args);
  server.close();
  expect(status, output).toBe(0);
  const installed = join(home, "plugins", `resource-k8sauth-v${manifest.version}`, "pulumi-resource-k8sauth");
  await using started = await Plugin.start(undefined, process.env, installed);
  expect(await started.version()).toBe(manifest.version);
});
