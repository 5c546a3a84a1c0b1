import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cacheFolder, passphraseFor, stateFolder } from "../../../engine/workspace.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "k8sauth-home-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("state and cache lie where the XDG specification says", () => {
  expect(stateFolder({ HOME: "/h" })).toBe("/h/.local/state/k8sauth");
  expect(stateFolder({ HOME: "/h", XDG_STATE_HOME: "/s" })).toBe("/s/k8sauth");
  expect(stateFolder({ HOME: "/h", XDG_STATE_HOME: "relative" })).toBe("/h/.local/state/k8sauth");
  expect(cacheFolder({ HOME: "/h" })).toBe("/h/.cache/k8sauth");
  expect(() => stateFolder({})).toThrow(expect.objectContaining({ code: "NO_HOME" }));
});

describe("the passphrase", () => {
  test("is the one of the environment, also an empty one", async () => {
    expect(await passphraseFor({ PULUMI_CONFIG_PASSPHRASE: "x", HOME: home })).toBe("x");
    expect(await passphraseFor({ PULUMI_CONFIG_PASSPHRASE: "", HOME: home })).toBe("");
  });

  test("is that of a file, without the blanks around it", async () => {
    await writeFile(join(home, "p"), "from a file\n");
    expect(await passphraseFor({ PULUMI_CONFIG_PASSPHRASE_FILE: join(home, "p") })).toBe("from a file");
    await expect(passphraseFor({ PULUMI_CONFIG_PASSPHRASE_FILE: join(home, "none") })).rejects.toMatchObject({
      code: "PASSPHRASE_MISSING",
      message: expect.stringContaining("PULUMI_CONFIG_PASSPHRASE_FILE"),
    });
  });

  test("is else made once, and kept for the owner alone", async () => {
    const env = { XDG_STATE_HOME: home };
    const made = await Promise.all(Array.from({ length: 8 }, () => passphraseFor(env)));
    expect(new Set(made).size).toBe(1);
    expect(made[0]?.length).toBeGreaterThanOrEqual(32);
    const file = join(home, "k8sauth", "passphrase");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readFile(file, "utf8")).trim()).toBe(made[0]);
    expect(await passphraseFor(env)).toBe(made[0]);
  });

  test("is never taken to be empty because its file is", async () => {
    await mkdir(join(home, "k8sauth"));
    await writeFile(join(home, "k8sauth", "passphrase"), "\n");
    await expect(passphraseFor({ XDG_STATE_HOME: home })).rejects.toMatchObject({ code: "PASSPHRASE_MISSING" });
  });
});
