import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHome, hasPlugin, linkCommand, linkPlugin, passphraseFile } from "../../../sandbox/pulumi/home.ts";
import { ensurePulumi } from "../../../sandbox/pulumi/index.ts";
import { kubernetesPluginProgram, pluginVersions } from "../../../sandbox/pulumi/programs.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

let folder: string;
let env: NodeJS.ProcessEnv;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-home-"));
  env = { HOME: folder };
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("versions of plugins", () => {
  test.each(["kubernetes", "tls"] as const)("are those of the packages that package.json pins: %s", (name) => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    expect(pluginVersions[name]).toBe(manifest.dependencies[`@pulumi/${name}`]);
  });

  test("are set in the Kubernetes plugin, because the engine compares them", () => {
    expect(Object.values(kubernetesPluginProgram.variables?.("") ?? {})).toEqual([pluginVersions.kubernetes]);
  });
});

test("a wrong value of K8SAUTH_PULUMI is refused before a CLI is searched", async () => {
  const given = { HOME: "/nonexistent", PATH: "/nonexistent", K8SAUTH_PULUMI: "no" };
  await expect(ensurePulumi({ env: given })).rejects.toMatchObject({
    code: "SANDBOX_OPTION_INVALID",
    message: 'K8SAUTH_PULUMI is "no": expected "build", or unset it to use the `pulumi` on the PATH.',
  });
});

describe("a home of the CLI", () => {
  test("is created below the state folder, and only the user can read it", () => {
    const home = createHome("built", env);
    expect(home).toBe(join(folder, ".local", "state", "k8sauth", "pulumi", "built"));
    expect(statSync(home).mode & 0o777).toBe(0o700);
    expect(readdirSync(home)).toEqual([]);
  });

  test("is refused with a remedy if it cannot be written", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => createHome("built", { XDG_STATE_HOME: join(folder, "file") })).toThrow(
      expect.objectContaining({
        code: "SANDBOX_STORAGE",
        message: expect.stringMatching(/^Creating the home of the Pulumi CLI failed in .*XDG_STATE_HOME/),
      }),
    );
  });

  test("keeps logs for a day", () => {
    const logs = join(createHome("built", env), "logs");
    mkdirSync(logs);
    const hours = { "old.log": 25, "recent.log": 23, "now.log": 0 };
    for (const [name, age] of Object.entries(hours)) {
      const time = new Date(Date.now() - age * 3_600_000);
      writeFileSync(join(logs, name), "");
      utimesSync(join(logs, name), time, time);
    }
    createHome("built", env);
    expect(readdirSync(logs).sort()).toEqual(["now.log", "recent.log"]);
  });

  test("has a plugin after it is linked, in that version only; a new link replaces the old one", () => {
    const home = createHome("built", env);
    expect(hasPlugin(home, "tls", "5.6.1")).toBe(false);
    for (const executable of ["/first/pulumi-resource-tls", "/second/pulumi-resource-tls"]) {
      linkPlugin(home, "tls", "5.6.1", executable);
      expect(readlinkSync(join(home, "plugins", "resource-tls-v5.6.1", "pulumi-resource-tls"))).toBe(executable);
    }
    expect(readdirSync(join(home, "plugins", "resource-tls-v5.6.1"))).toEqual(["pulumi-resource-tls"]);
    expect([hasPlugin(home, "tls", "5.6.1"), hasPlugin(home, "tls", "5.6.2")]).toEqual([true, false]);
  });

  test("has a folder for the PATH that contains the CLI only", () => {
    const bin = linkCommand(createHome("built", env), "/cache/pulumi");
    expect(readdirSync(bin)).toEqual(["pulumi"]);
    expect(readlinkSync(join(bin, "pulumi"))).toBe("/cache/pulumi");
  });
});

describe("the passphrase of stacks", () => {
  test("is generated once in a file that only the user can read, and no other file remains", () => {
    const file = passphraseFile(env);
    const passphrase = readFileSync(file, "utf8");
    expect(passphrase).toMatch(/^[\w-]{32}\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(passphraseFile(env)).toBe(file);
    expect(readFileSync(file, "utf8")).toBe(passphrase);
    expect(readdirSync(join(file, ".."))).toEqual(["passphrase"]);
  });

  test("is not generated anew while there are stacks, which it could not decrypt", () => {
    const file = passphraseFile(env);
    rmSync(file);
    const stacks = join(dirname(file), ".pulumi", "stacks", "k8sauth");
    mkdirSync(stacks, { recursive: true });
    expect(passphraseFile(env)).toBe(file);
    rmSync(file);
    writeFileSync(join(stacks, "prod.json"), "{}");
    expect(() => passphraseFile(env)).toThrow(expect.objectContaining({ code: "PULUMI_PASSPHRASE_MISSING" }));
    expect(existsSync(file)).toBe(false);
    expect(passphraseFile({ ...env, PULUMI_BACKEND_URL: "s3://states" })).toBe(file);
  });

  test("differs between accounts", () => {
    const passphrases = ["one", "other"].map((name) =>
      readFileSync(passphraseFile({ HOME: join(folder, name) }), "utf8"),
    );
    expect(passphrases[0]).not.toBe(passphrases[1]);
  });
});
