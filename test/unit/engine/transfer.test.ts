import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Io } from "../../../cli/command.ts";
import { stackCommand } from "../../../cli/stackCommand.ts";
import { type EngineEvent, exportStack, importStack, type StackOptions, stackOutputs } from "../../../engine/index.ts";
import { lockStack } from "../../../engine/lock.ts";
import { type Crypter, createCrypter, openCrypter } from "../../../engine/secrets.ts";
import { decryptSecrets } from "../../../engine/state.ts";
import { secret, secretSignature, signatureKey, type Value } from "../../../engine/values.ts";

const passphrase = "of the export";
const urn = (type: string, name: string, project = "shop") => `urn:pulumi:dev::${project}::${type}::${name}`;
const root = urn("pulumi:pulumi:Stack", "shop-dev");
const provider = urn("pulumi:providers:tls", "default");

let crypter: Crypter;
let elsewhere: Crypter;
let folder: string;
let file: string;
let events: EngineEvent[];

beforeAll(async () => {
  [crypter, elsewhere] = await Promise.all([createCrypter(passphrase), createCrypter(passphrase)]);
});
beforeEach(async () => {
  events = [];
  folder = await mkdtemp(join(tmpdir(), "k8sauth-transfer-"));
  file = join(folder, "state", ".pulumi", "stacks", "shop", "dev.json");
  await writeFile(join(folder, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = (more: Partial<StackOptions> = {}): StackOptions => ({
  folder,
  stack: "dev",
  env: { PULUMI_BACKEND_URL: `file://${join(folder, "state")}`, PULUMI_CONFIG_PASSPHRASE: passphrase },
  emit: (event) => events.push(event),
  ...more,
});

const said = () => events.flatMap((event) => (event.kind === "diagnostic" ? [event.message] : [])).join("\n");
const sealed = (value: Value, by = crypter) => ({
  [signatureKey]: secretSignature,
  ciphertext: by.encrypt(JSON.stringify(value)),
});
const plain = (value: Value) => ({ [signatureKey]: secretSignature, plaintext: JSON.stringify(value) });

const key = {
  urn: urn("tls:index/privateKey:PrivateKey", "key"),
  type: "tls:index/privateKey:PrivateKey",
  custom: true,
  id: "1",
  parent: root,
  provider: `${provider}::0`,
  outputs: { algorithm: "RSA" },
};

/** An export as the Pulumi CLI writes it, with fields that nobody here knows. */
function document(token: Value = sealed("hush"), more: { [key: string]: Value } = {}) {
  const outputs = { token };
  return {
    version: 3,
    deployment: {
      manifest: { time: "2026-11-22T02:39:39.572763383Z", magic: "m", version: "3.260.0", pluginsOfOld: [] },
      secrets_providers: { type: "passphrase", state: { salt: crypter.salt } },
      resources: [
        { urn: root, type: "pulumi:pulumi:Stack", custom: false, outputs, sourcePosition: "project:///index.ts#1,1" },
        { urn: provider, type: "pulumi:providers:tls", custom: true, id: "0" },
        { ...key, viewOf: "later" },
      ],
      metadata: { note: "kept" },
      snippets: [1],
      ...more,
    } as { [key: string]: Value },
  };
}

const state = async () => JSON.parse(await readFile(file, "utf8")) as { checkpoint: { latest: never } };
const salt = async () => parse(await readFile(join(folder, "Pulumi.dev.yaml"), "utf8"))?.encryptionsalt;

describe("an import", () => {
  test("makes the document the stack's state: secrets to be read, unknown fields kept, the salt in the settings", async () => {
    expect(await importStack(options(), document())).toEqual({ resources: 3 });
    expect(await stackOutputs(options())).toEqual({ token: secret("hush") });
    expect(await salt()).toBe(crypter.salt);
    const { checkpoint } = await state();
    expect(checkpoint.latest).toMatchObject({
      metadata: { note: "kept" },
      snippets: [1],
      resources: [
        { sourcePosition: "project:///index.ts#1,1" },
        { id: "0" },
        { viewOf: "later", outputs: key.outputs },
      ],
    });
    expect(await exportStack(options())).toMatchObject({ version: 3, deployment: { snippets: [1] } });
  });

  test("encrypts anew with the key of the settings where these have one of their own", async () => {
    await writeFile(join(folder, "Pulumi.dev.yaml"), stringify({ encryptionsalt: elsewhere.salt }));
    await importStack(options(), document());
    const { checkpoint } = await state();
    expect(checkpoint.latest).toMatchObject({ secrets_providers: { state: { salt: elsewhere.salt } } });
    expect(decryptSecrets(checkpoint.latest, elsewhere)).toMatchObject({
      resources: [{ outputs: { token: secret("hush") } }, {}, {}],
    });
  });

  test("encrypts the plaintext of an export from another secrets provider, which it need not know", async () => {
    const secrets_providers = { type: "service", state: { url: "https://api.pulumi.com" } };
    await importStack(options(), document(plain("hush"), { secrets_providers }));
    expect(await stackOutputs(options())).toEqual({ token: secret("hush") });
    expect(await readFile(file, "utf8")).not.toContain("hush");
    expect((await openCrypter(passphrase, await salt())).salt).toBe(await salt());
  });

  test("keeps a copy of the state before, with the name that the Pulumi CLI gives it", async () => {
    await importStack(options(), document(sealed("before")));
    const before = await readFile(file, "utf8");
    const { backup = "" } = await importStack(options(), document(sealed("after")));
    expect(dirname(backup)).toBe(join(folder, "state", ".pulumi", "backups", "shop", "dev"));
    expect(backup).toMatch(/\/dev\.\d{19}\.json$/);
    expect(await readFile(backup, "utf8")).toBe(before);
    expect((await stat(backup)).mode & 0o777).toBe(0o600);
    expect(await stackOutputs(options())).toEqual({ token: secret("after") });
  });

  test("repairs a stack whose state is broken", async () => {
    await importStack(options(), document());
    await writeFile(file, "{");
    await importStack(options(), document());
    expect(await stackOutputs(options())).toEqual({ token: secret("hush") });
  });

  test("brings unfinished operations along, and says so", async () => {
    const pending_operations = [{ type: "creating", resource: { ...key, inputs: { pem: sealed("pem") } } }];
    await importStack(options(), document(sealed("hush"), { pending_operations }));
    expect(said()).toMatch(/1 operation of an interrupted run came along; the next up settles them/);
    const { deployment } = await exportStack(options());
    expect(decryptSecrets(deployment, crypter)).toMatchObject({
      pending_operations: [{ type: "creating", resource: { inputs: { pem: secret("pem") } } }],
    });
  });

  const withResources = (...resources: object[]) => document(null, { resources: resources as never });
  const cases: [what: string, make: () => unknown, code: string, message: RegExp][] = [
    ["no object", () => [], "STATE_CORRUPT", /no "deployment"/],
    ["a state file", () => ({ version: 3, checkpoint: {} }), "STATE_CORRUPT", /no "deployment"/],
    ["a version of the past", () => ({ ...document(), version: 2 }), "STATE_FOREIGN", /version 2/],
    ["unknown features", () => ({ ...document(), version: 4, features: ["hooks"] }), "STATE_FOREIGN", /hooks/],
    ["no list of resources", () => withResources().deployment && document(null, { resources: {} }), "STATE_CORRUPT", /resources/],
    ["broken pending operations", () => document(null, { pending_operations: [{}] }), "STATE_CORRUPT", /pending/],
    ["no URN", () => withResources({ ...key, urn: "key" }), "STATE_CORRUPT", /not a resource URN/],
    ["another project's", () => withResources({ ...key, urn: urn("t", "k", "bank") }), "STATE_FOREIGN", /project bank/],
    [
      "another stack's",
      () => withResources({ ...key, urn: urn("t", "k").replace("dev", "prod") }),
      "STATE_FOREIGN",
      /stack "prod".*--stack prod/,
    ],
    ["a wrong order", () => withResources(key), "STATE_CORRUPT", /refers to .*, which does not stand before it/],
    ["one twice", () => withResources({ urn: root, type: "t" }, { urn: root, type: "t" }), "STATE_CORRUPT", /twice/],
    [
      "another provider's secrets",
      () => document(sealed("x"), { secrets_providers: { type: "service" } }),
      "SECRETS_PROVIDER_UNSUPPORTED",
      /"service".*change-secrets-provider passphrase.*--show-secrets/,
    ],
    [
      "secrets of no provider",
      () => document(sealed("x"), { secrets_providers: null }),
      "SECRETS_PROVIDER_UNSUPPORTED",
      /nothing that it names/,
    ],
    ["a secret under another key", () => document(sealed("x", elsewhere)), "STATE_CORRUPT", /another key/],
  ]; // biome-ignore format: a table

  test.each(cases)("refuses %s and changes nothing", async (_what, make, code, message) => {
    await importStack(options(), document());
    const before = await readFile(file, "utf8");
    const refused = importStack(options(), make() as Value);
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await readFile(file, "utf8")).toBe(before);
    expect(await readdir(join(folder, "state", ".pulumi"))).not.toContain("backups");
  });

  test("refuses a wrong passphrase, and writes neither state nor settings", async () => {
    const env = { ...options().env, PULUMI_CONFIG_PASSPHRASE: "another" };
    await expect(importStack(options({ env }), document())).rejects.toMatchObject({ code: "PASSPHRASE_WRONG" });
    expect((await readdir(folder)).sort()).toEqual(["Pulumi.yaml", "state"]);
    expect(await readdir(join(folder, "state", ".pulumi"))).toEqual(["locks"]);
  });

  test("waits for no other run: a locked stack is an error, and an import leaves no lock", async () => {
    const locks = join(folder, "state", ".pulumi", "locks", "organization", "shop", "dev");
    await mkdir(locks, { recursive: true });
    const held = await lockStack(locks, () => {});
    await expect(importStack(options(), document())).rejects.toMatchObject({ code: "STACK_LOCKED" });
    await held.release();
    await importStack(options(), document());
    expect(await readdir(locks)).toEqual([]);
  });
});

describe("an export", () => {
  test("holds what was imported, secrets encrypted as they are, without the passphrase", async () => {
    await importStack(options(), document());
    const env = { ...options().env, PULUMI_CONFIG_PASSPHRASE: "another" };
    const exported = await exportStack(options({ env }));
    expect(JSON.stringify(exported)).not.toContain("hush");
    expect(exported.deployment).toEqual((await state()).checkpoint.latest);
  });

  test("with secrets shown holds them as the Pulumi CLI writes them, and can be imported again", async () => {
    await importStack(options(), document());
    const shown = await exportStack({ ...options(), showSecrets: true });
    expect(shown.deployment.resources?.[0]?.outputs).toEqual({ token: plain("hush") });
    await importStack(options(), shown as unknown as Value);
    expect(await stackOutputs(options())).toEqual({ token: secret("hush") });
  });

  test("of a stack with unfinished operations warns of what the Pulumi CLI would forget", async () => {
    const pending_operations = [{ type: "creating", resource: { ...key } }];
    await importStack(options(), document(sealed("hush"), { pending_operations }));
    events = [];
    await exportStack(options());
    expect(said()).toMatch(/1 operation of an interrupted run .* Run up first/);
  });

  test("of no stack names those that there are", async () => {
    await importStack(options(), document());
    await expect(exportStack(options({ stack: "prod" }))).rejects.toMatchObject({
      code: "STACK_MISSING",
      message: expect.stringContaining("Known: dev"),
    });
  });
});

describe("k8sauth stack", () => {
  let out: string;
  let err: string;
  const run = (...args: string[]) => {
    out = "";
    err = "";
    const { env } = options();
    const io: Io = {
      out: (text) => {
        out += text;
      },
      err: (text) => {
        err += text;
      },
      tty: false,
      env,
      signal: new AbortController().signal,
    };
    return stackCommand.run([...args, "--cwd", folder], io);
  };
  const usage = (message: RegExp) =>
    expect.objectContaining({ name: "UsageError", message: expect.stringMatching(message) });

  test("exports to a file that only its owner reads, even if it was there before, and imports from it", async () => {
    await importStack(options(), document());
    const target = join(folder, "dev.json");
    await writeFile(target, "x".repeat(100_000), { mode: 0o644 });
    expect(await run("export", "--stack", "dev", "--file", target)).toBe(0);
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    await run("export", "--stack", "dev");
    expect(out).toBe(await readFile(target, "utf8"));
    await rm(join(folder, "state"), { recursive: true });
    expect(await run("import", "--stack", "dev", "--file", target)).toBe(0);
    expect(err).toBe('Imported: the stack "dev" has 3 resources now.\n');
    expect(await stackOutputs(options())).toEqual({ token: secret("hush") });
  });

  test("lists stacks, for people and for machines", async () => {
    await importStack(options(), document());
    await run("ls");
    expect(out).toMatch(/^NAME {2}RESOURCES {2}LAST UPDATE\ndev {11}3 {2}20\d\d-\S+Z\n$/);
    await run("ls", "--json");
    expect(JSON.parse(out)).toEqual([{ name: "dev", resources: 3, lastUpdate: expect.stringMatching(/^20\d\d-/) }]);
  });

  test("removes no stack that has resources, unless it is told to; a copy of the state stays", async () => {
    await importStack(options(), document());
    await expect(run("rm", "--stack", "dev", "--yes")).rejects.toMatchObject({ code: "STACK_NOT_EMPTY" });
    expect(await run("rm", "--stack", "dev", "--yes", "--force", "--preserve-config")).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(["Pulumi.dev.yaml", "Pulumi.yaml", "state"]);
    expect(await readdir(join(folder, "state", ".pulumi", "backups", "shop", "dev"))).toHaveLength(1);
    await expect(run("rm", "--stack", "dev", "--yes")).rejects.toMatchObject({ code: "STACK_MISSING" });
  });

  test("removes an empty stack with its settings", async () => {
    await importStack(options(), document(null, { resources: [] }));
    expect(await run("rm", "--stack", "dev", "--yes")).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(["Pulumi.yaml", "state"]);
  });

  test("refuses what it can't do as wrong usage", async () => {
    await expect(run()).rejects.toEqual(usage(/needs an action: ls, export, import, rm/));
    await expect(run("mv")).rejects.toEqual(usage(/no action "mv"/));
    await expect(run("export", "--force")).rejects.toEqual(usage(/export has no option --force/));
    await expect(run("rm", "--stack", "dev")).rejects.toEqual(usage(/--yes/));
    await writeFile(join(folder, "no.json"), '{"token": hush');
    const refused = run("import", "--stack", "dev", "--file", join(folder, "no.json"));
    await expect(refused).rejects.toEqual(usage(/no\.json is not JSON/));
    await expect(refused).rejects.not.toEqual(usage(/hush/));
  });
});
