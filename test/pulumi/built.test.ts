import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { built, Machine, run, twoPlugins } from "./machine.ts";

let machine: Machine;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  machine = await Machine.make();
  env = { ...machine.env, K8SAUTH_PULUMI: "build" };
});
afterEach(() => machine[Symbol.asyncDispose]());

describe("the CLI that is built", () => {
  test("runs a program with both plugins, without a warning, a download or a trace in ~/.pulumi", async () => {
    const pulumi = await ensurePulumi({ env });
    const folder = await machine.project(twoPlugins);
    const run1 = async (...args: string[]) => {
      const { status, output } = await run(pulumi, folder, args);
      expect(output).not.toMatch(/warning|download/i);
      return { status, output };
    };
    expect(await run1("version")).toMatchObject({ status: 0 });
    expect(await run1("stack", "init", "dev")).toMatchObject({ status: 0 });
    expect(await run1("preview")).toMatchObject({ status: 0, output: expect.stringContaining("+ 4 to create") });
    expect(await run1("up", "--yes", "--skip-preview")).toMatchObject({
      status: 0,
      output: expect.stringContaining("+ 4 created"),
    });
    expect(await run1("up", "--yes", "--skip-preview")).toMatchObject({
      status: 0,
      output: expect.stringContaining("4 unchanged"),
    });
    expect(existsSync(join(machine.home, ".pulumi"))).toBe(false);
  });

  test("keeps home, stacks and passphrase in folders that are the user's alone", async () => {
    const pulumi = await ensurePulumi({ env });
    const state = join(machine.home, ".local", "state", "k8sauth");
    const passphrase = join(state, "passphrase");
    expect(pulumi.env).toMatchObject({
      PULUMI_BACKEND_URL: `file://${state}?metadata=skip`,
      PULUMI_CONFIG_PASSPHRASE_FILE: passphrase,
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    });
    expect(pulumi.env.PULUMI_HOME.startsWith(join(state, "pulumi"))).toBe(true);
    for (const folder of [state, pulumi.env.PULUMI_HOME]) expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(passphrase).mode & 0o777).toBe(0o600);
    expect(readFileSync(passphrase, "utf8")).toMatch(/^[\w-]{32}\n$/);
  });

  test("remembers the selected stack when it is built anew, and uses the plugins of the new build", async () => {
    const folder = await machine.project(twoPlugins);
    const earlier = await ensurePulumi({ env });
    for (const name of ["dev", "other"]) {
      expect(await run(earlier, folder, ["stack", "init", name])).toMatchObject({ status: 0 });
    }
    expect(await run(earlier, folder, ["stack", "select", "dev"])).toMatchObject({ status: 0 });
    // Another build may leave links to programs that no longer exist.
    const plugins = join(earlier.env.PULUMI_HOME, "plugins");
    for (const entry of readdirSync(plugins, { recursive: true, withFileTypes: true })) {
      if (!entry.isSymbolicLink()) continue;
      rmSync(join(entry.parentPath, entry.name));
      symlinkSync(join(machine.folder, "another-build"), join(entry.parentPath, entry.name));
    }
    const later = await ensurePulumi({ env });
    expect(later.env.PULUMI_HOME).toBe(join(machine.home, ".local", "state", "k8sauth", "pulumi", "built"));
    expect((await run(later, folder, ["stack", "--show-name"])).stdout.trim()).toBe("dev");
    expect(await run(later, folder, ["preview"])).toMatchObject({
      status: 0,
      output: expect.stringContaining("+ 4 to create"),
    });
  });

  test("is not stopped by a side file of the state that a killed run left empty: the backend has none", async () => {
    const pulumi = await ensurePulumi({ env });
    const folder = await machine.project(twoPlugins);
    const plain = { ...pulumi, env: { ...pulumi.env, PULUMI_BACKEND_URL: `file://${machine.home}` } };
    const sideFile = async (cli: Pulumi, backend: string) => {
      expect(await run(cli, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
      return join(backend, ".pulumi", "stacks", "small", "dev.json.attrs");
    };
    const left = await sideFile(plain, machine.home);
    writeFileSync(left, "");
    const cancel = ["cancel", "--yes", "--stack", "dev"];
    expect(await run(plain, folder, cancel)).toMatchObject({ output: expect.stringContaining("checkpoint: EOF") });
    rmSync(left);
    expect(await run(plain, folder, cancel)).toMatchObject({ status: 0 });
    expect(existsSync(await sideFile(pulumi, join(machine.home, ".local", "state", "k8sauth")))).toBe(false);
  });

  test("takes backend and passphrase from the user, but no home", async () => {
    const given = {
      PULUMI_BACKEND_URL: "file:///somewhere",
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_HOME: join(machine.home, ".pulumi"),
    };
    const pulumi = await ensurePulumi({ env: { ...env, ...given } });
    expect(pulumi.env).toMatchObject({ PULUMI_BACKEND_URL: "file:///somewhere", PULUMI_CONFIG_PASSPHRASE: "" });
    expect(pulumi.env).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE_FILE");
    expect(pulumi.env.PULUMI_HOME).not.toBe(given.PULUMI_HOME);
    expect(existsSync(join(machine.home, ".local", "state", "k8sauth", "passphrase"))).toBe(false);
  });

  test("is not taken for an installed one where its environment is passed on", async () => {
    const { env: passed } = await ensurePulumi({ env });
    // A machine on which a pulumi is installed stays out of this test: its folder comes after this one's.
    const again = await ensurePulumi({
      env: { ...passed, K8SAUTH_PULUMI: undefined, PATH: withoutPulumi(passed.PATH) },
    });
    expect(again).toMatchObject({ command: built.command, built: true, env: { PULUMI_HOME: passed.PULUMI_HOME } });
  });

  test.each([
    ["build", /^K8SAUTH_PULUMI is build: building the Pulumi CLI and Pulumi's Kubernetes plugin from Go modules, once/],
    [undefined, /^There is no `pulumi` on the PATH: building the Pulumi CLI and Pulumi's Kubernetes plugin from/],
  ])("is announced before a build, with the reason (K8SAUTH_PULUMI=%s)", async (choice, announced) => {
    const controller = new AbortController();
    const notices: string[] = [];
    const onNotice = (line: string) => {
      notices.push(line);
      controller.abort();
    };
    const empty = { ...env, K8SAUTH_PULUMI: choice, PATH: withoutPulumi(env.PATH), XDG_CACHE_HOME: machine.folder };
    await expect(ensurePulumi({ env: empty, onNotice, signal: controller.signal })).rejects.toMatchObject({
      code: "SANDBOX_ABORTED",
    });
    expect(notices).toEqual([expect.stringMatching(announced)]);
  });
});

/** Folders of a PATH without those that an installed CLI is in; links of the built one stay. */
function withoutPulumi(path = ""): string {
  const isInstalled = (folder: string) => existsSync(join(folder, "pulumi")) && !folder.startsWith(machine.home);
  return path
    .split(":")
    .filter((folder) => !isInstalled(folder))
    .join(":");
}
