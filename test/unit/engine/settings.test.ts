import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadProject } from "../../../engine/project.ts";
import type { Crypter } from "../../../engine/secrets.ts";
import { hasSecrets, programConfig, StackSettings, secretsOf, withoutCiphertexts } from "../../../engine/settings.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-settings-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const crypter: Crypter = {
  salt: "",
  encrypt: (text) => `sealed ${text}`,
  decrypt: (text) => text.replace("sealed ", ""),
};

async function read(stack: string, declared = "") {
  const project = join(folder, "Pulumi.yaml");
  const file = join(folder, "Pulumi.dev.yaml");
  await writeFile(project, `name: shop\nruntime: nodejs\n${declared && `config:\n${declared}`}`);
  await writeFile(file, stack);
  return { project: await loadProject(folder), settings: await StackSettings.load(file), file };
}

async function config(stack: string, declared = "", using: Crypter | undefined = crypter) {
  const { project, settings } = await read(stack, declared);
  return programConfig(project, settings, using);
}

describe("the settings that a program gets", () => {
  test("are text, structured ones as JSON, with defaults where the stack says nothing", async () => {
    const declared =
      "  size: {type: integer, default: 3}\n  list: {type: array, items: {type: string}, default: [a]}\n  empty: {type: string, default: ''}\n";
    const { values, secretKeys } = await config(
      "config:\n  shop:name: x\n  plain: 12\n  other:flag: true\n  shop:map: {a: [1, null]}\n",
      declared,
    );
    expect(values).toEqual({
      "shop:name": "x",
      "shop:plain": "12",
      "other:flag": "true",
      "shop:map": '{"a":[1,null]}',
      "shop:size": "3",
      "shop:list": '["a"]',
      "shop:empty": "",
    });
    expect(secretKeys).toEqual([]);
  });

  test("have their members in the order of their names, whatever that of the file is", async () => {
    const { values } = await config("config:\n  shop:map: {b: {z: 1, y: [{d: 1, c: 2}]}, a: 1}\n");
    expect(values["shop:map"]).toBe('{"a":1,"b":{"y":[{"c":2,"d":1}],"z":1}}');
  });

  test("are decrypted where they are encrypted, and told to be secret", async () => {
    const { values, secretKeys } = await config("config:\n  shop:key:\n    secure: sealed hush\n");
    expect(values).toEqual({ "shop:key": "hush" });
    expect(secretKeys).toEqual(["shop:key"]);
  });

  test("are decrypted where a part of one is encrypted, and told to be secret as a whole", async () => {
    const { values, secretKeys } = await config(
      "config:\n  shop:map: {name: x, keys: [{secure: sealed hush}], deep: {key: {secure: sealed two}}}\n",
      "  map: {type: object, default: {}}\n",
    );
    expect(JSON.parse(values["shop:map"] ?? "")).toEqual({ name: "x", keys: ["hush"], deep: { key: "two" } });
    expect(secretKeys).toEqual(["shop:map"]);
  });

  test.each(["{secure: sealed hush}", "{a: [{secure: sealed hush}]}"])(
    "can't be read without the passphrase where one is encrypted: %s",
    async (value) => {
      const { project, settings } = await read(`config:\n  shop:key: ${value}\n`);
      expect(hasSecrets(settings)).toBe(true);
      expect(() => programConfig(project, settings, undefined)).toThrow(
        expect.objectContaining({ code: "PASSPHRASE_MISSING" }),
      );
    },
  );

  test("are all there: a declared one without default or value is missing", async () => {
    for (const declared of ["  size: {type: integer}\n", "  size: {type: integer, default: null}\n"]) {
      await expect(config("", declared)).rejects.toMatchObject({
        code: "CONFIG_MISSING",
        message: expect.stringContaining("shop:size"),
      });
    }
  });

  test.each([
    ["integer", "1.5"],
    ["integer", "abc"],
    ["boolean", "yes"],
    ["array", "'[1]'"],
    ["object", "text"],
    ["string", "{a: 1}"],
  ])("are of their declared type: for %s %s is not", async (type, value) => {
    await expect(config(`config:\n  shop:it: ${value}\n`, `  it: {type: ${type}}\n`)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(`shop:it must be of type ${type}`),
    });
  });

  test.each([
    ["integer", "5", "5"],
    ["integer", "'-5'", "-5"],
    ["boolean", "'true'", "true"],
    ["string", "12", "12"],
    ["string", "null", ""],
    ["array", "[1]", "[1]"],
    ["object", "{a: 1}", '{"a":1}'],
  ])("for %s %s is %j", async (type, value, text) => {
    const { values } = await config(`config:\n  shop:it: ${value}\n`, `  it: {type: ${type}}\n`);
    expect(values["shop:it"]).toBe(text);
  });

  test("that are declared secret are refused in plaintext, without showing them", async () => {
    const refused = config("config:\n  shop:key: hush\n", "  key: {type: string, secret: true}\n");
    await expect(refused).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("--secret"),
    });
    await expect(refused).rejects.not.toThrow(/hush/);
  });

  test("of the wrong type are not shown where they may hold a kubeconfig", async () => {
    const refused = config("config:\n  shop:it: {users: [{token: hush}]}\n", "  it: {type: string}\n");
    await expect(refused).rejects.toThrow(/must be of type string, not a map/);
    await expect(refused).rejects.not.toThrow(/hush/);
  });
});

test("the secrets of a settings file are every text that is encrypted in it", async () => {
  const { settings } = await read(
    "config:\n  shop:key: {secure: sealed one}\n  shop:map: {name: open, keys: [{secure: sealed two}]}\n  shop:plain: x\n",
  );
  expect(secretsOf(settings, crypter)).toEqual(["one", "two"]);
});

test("a setting is shown without its ciphertexts", () => {
  expect(withoutCiphertexts({ secure: "v1:abc" })).toBe("[secret]");
  expect(withoutCiphertexts({ name: "open", keys: [{ secure: "v1:abc" }] })).toEqual({
    name: "open",
    keys: ["[secret]"],
  });
});

describe("the settings file", () => {
  test("keeps comments and order when it is changed", async () => {
    const { settings, file } = await read("# about this stack\nconfig:\n  shop:b: 1 # why\n  shop:a: 2\n");
    settings.setConfig("shop:c", { secure: "sealed" });
    settings.salt = "v1:a:v1:b:c";
    expect(settings.removeConfig("shop:a")).toBe(true);
    await settings.save();
    const text = await readFile(file, "utf8");
    expect(text).toMatch(/^# about this stack\n/);
    expect(text).toMatch(/shop:b: 1 # why\n {2}shop:c:\n {4}secure: sealed\n/);
    expect((await StackSettings.load(file)).salt).toBe("v1:a:v1:b:c");
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  test("may be missing or empty", async () => {
    expect((await StackSettings.load(join(folder, "none.yaml"))).config).toEqual({});
    expect((await read("")).settings.config).toEqual({});
    const { settings, file } = await read("");
    settings.setConfig("shop:a", "b");
    await settings.save();
    expect((await StackSettings.load(file)).config).toEqual({ "shop:a": "b" });
  });

  test.each(["{", "- a\n", "config: {a: b\n"])("is refused when it is no map of settings: %j", async (text) => {
    await expect(read(text)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });

  test.each(["secretsprovider: awskms://x\n", "environment: [prod]\n"])("is refused with %j", async (text) => {
    await expect(read(text)).rejects.toMatchObject({ code: "SECRETS_PROVIDER_UNSUPPORTED" });
  });

  test("may name the passphrase provider", async () => {
    expect((await read("secretsprovider: passphrase\n")).settings.config).toEqual({});
  });
});
