import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHome, linkPlugin } from "../../sandbox/pulumi/home.ts";
import { ensurePulumi, oldestVersion } from "../../sandbox/pulumi/index.ts";
import { pluginVersions } from "../../sandbox/pulumi/programs.ts";
import { beside, built, Machine, run, twoPlugins } from "./machine.ts";

const host = "pulumi-language-nodejs";
const kubernetesPlugin = join(
  built.env.PULUMI_HOME,
  "plugins",
  `resource-kubernetes-v${pluginVersions.kubernetes}`,
  "pulumi-resource-kubernetes",
);

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make();
});
afterEach(() => machine[Symbol.asyncDispose]());

/** Puts plugins where an installed CLI has downloaded them. */
function addPlugins(names: readonly (keyof typeof pluginVersions)[]): string {
  const home = createHome("installed", machine.env);
  const paths = { kubernetes: kubernetesPlugin, tls: beside("pulumi-resource-tls") };
  for (const name of names) linkPlugin(home, name, pluginVersions[name], paths[name]);
  return home;
}

describe("a pulumi on the PATH", () => {
  test("is used from a home of this program, with its plugins and without a warning", async () => {
    await machine.install("pulumi", host);
    const home = addPlugins(["kubernetes", "tls"]);
    const notices: string[] = [];
    const pulumi = await ensurePulumi({ env: machine.env, onNotice: (line) => notices.push(line) });
    expect(pulumi).toMatchObject({ command: join(machine.bin, "pulumi"), built: false, env: { PULUMI_HOME: home } });
    expect(notices).toEqual([]);

    const folder = await machine.project(twoPlugins);
    expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
    for (const command of [
      ["up", "--yes", "--skip-preview"],
      ["preview", "--expect-no-changes"],
    ]) {
      const { status, output } = await run(pulumi, folder, command);
      expect(output).not.toMatch(/warning|download/i);
      expect(status).toBe(0);
    }
  });

  test("may be a link to a CLI with the Node.js host beside it", async () => {
    await machine.install("pulumi");
    addPlugins(["kubernetes", "tls"]);
    expect(await ensurePulumi({ env: machine.env })).toMatchObject({ built: false });
  });

  test("may have the Node.js host elsewhere on the PATH", async () => {
    const folder = join(machine.folder, "other");
    await mkdir(folder);
    await machine.script("pulumi", `exec '${built.command}' "$@"`);
    addPlugins(["kubernetes", "tls"]);
    const PATH = [machine.env.PATH, dirname(built.command)].join(delimiter);
    expect(await ensurePulumi({ env: { ...machine.env, PATH } })).toMatchObject({ built: false });
  });

  test("is refused without a Node.js host, with a remedy", async () => {
    const command = await machine.script("pulumi", `exec '${built.command}' "$@"`);
    await expect(ensurePulumi({ env: machine.env })).rejects.toMatchObject({
      code: "PULUMI_NO_NODE_HOST",
      message: expect.stringMatching(new RegExp(`^${command} has no ${host} .* set K8SAUTH_PULUMI=build`)),
    });
  });

  test.each(["v3.259.9", "3.99.0", "v2.300.0", "v3.200.0-alpha.1"])("is refused as too old: %s", async (version) => {
    const command = await machine.script(
      "pulumi",
      `[ "$1" = version ] && echo ${version} || exec '${built.command}' "$@"`,
    );
    await machine.install(host);
    const [, number] = /^v?([\d.]+\d)/.exec(version) ?? [];
    await expect(ensurePulumi({ env: machine.env })).rejects.toMatchObject({
      code: "PULUMI_TOO_OLD",
      message: expect.stringContaining(`${command} is Pulumi ${number}, and ${oldestVersion} is the oldest`),
    });
  });

  test.each([`v${oldestVersion}`, oldestVersion, "v3.1000.0", "v4.0.0-beta.1"])(
    "is new enough: %s",
    async (version) => {
      await machine.script("pulumi", `[ "$1" = version ] && echo ${version} || exec '${built.command}' "$@"`);
      await machine.install(host);
      addPlugins(["kubernetes", "tls"]);
      expect(await ensurePulumi({ env: machine.env })).toMatchObject({ built: false });
    },
  );

  test.each([
    ["fails", "echo no space left >&2; exit 3", "/bin/sh", /exit status 3\): no space left\. Repair that installation/],
    ["says something else", "echo hello", "/bin/sh", /exit status 0\): hello\. Repair/],
    ["cannot be started", "", "/nonexistent/interpreter", /exit status 127\): spawn .* ENOENT\. Repair/],
  ])("is refused when its version command %s", async (_, script, interpreter, message) => {
    await machine.script("pulumi", script, interpreter);
    await expect(ensurePulumi({ env: machine.env })).rejects.toMatchObject({
      code: "PULUMI_UNUSABLE",
      message: expect.stringMatching(message),
    });
  });

  test("is passed over if it is a folder or may not be executed, as a shell does", async () => {
    const [folder, file] = [join(machine.folder, "folder"), join(machine.folder, "file")];
    await mkdir(join(folder, "pulumi"), { recursive: true });
    await mkdir(file);
    await writeFile(join(file, "pulumi"), "#!/bin/sh\n");
    await chmod(join(file, "pulumi"), 0o644);
    await machine.install("pulumi");
    addPlugins(["kubernetes", "tls"]);
    const PATH = [folder, file, machine.env.PATH].join(delimiter);
    const { command } = await ensurePulumi({ env: { ...machine.env, PATH } });
    expect(command).toBe(join(machine.bin, "pulumi"));
  });

  test("is not used if the user asks for the one that is built", async () => {
    await machine.script("pulumi", "exit 3");
    const env = { ...machine.env, K8SAUTH_PULUMI: "build" };
    expect(await ensurePulumi({ env })).toMatchObject({ command: built.command, built: true });
  });
});

describe("plugins that an installed CLI lacks", () => {
  test.each([
    { present: [], missing: "kubernetes 4.25.0 and tls 5.6.1", first: "kubernetes", version: "4.25.0" },
    { present: ["kubernetes"], missing: "tls 5.6.1", first: "tls", version: "5.6.1" },
  ] as const)("are announced, and named when there is no network: $missing", async (plugins) => {
    await machine.install("pulumi", host);
    const home = addPlugins(plugins.present);
    const notices: string[] = [];
    const found = ensurePulumi({
      env: machine.env,
      onNotice: (line) => notices.push(line),
      signal: AbortSignal.timeout(45_000),
    });
    const file = `pulumi plugin install resource ${plugins.first} v${plugins.version} --file FILE, with PULUMI_HOME=${home}`;
    await expect(found).rejects.toMatchObject({
      code: "PULUMI_PLUGIN_MISSING",
      message: expect.stringContaining(file),
    });
    await expect(found).rejects.toThrow(`could not download its plugin ${plugins.first} ${plugins.version}: `);
    await expect(found).rejects.toThrow("set K8SAUTH_PULUMI=build");
    expect(notices).toEqual([`Pulumi downloads its plugins ${plugins.missing}, once.`]);
  });
});
