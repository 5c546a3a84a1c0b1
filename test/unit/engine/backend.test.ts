import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileBackend, openBackend, writeAtomically } from "../../../engine/backend.ts";
import { spawnNode } from "../../support/spawnNode.ts";

const name = { project: "shop", stack: "dev" };
let folder: string;
let backend: FileBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-backend-"));
  backend = new FileBackend(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(content: string): Promise<void> {
  const file = backend.stackFile(name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

const checkpoint = (more: object = {}, version: unknown = 3) =>
  JSON.stringify({ version, checkpoint: { stack: "organization/shop/dev", latest: { resources: [] }, ...more } });

test("lays its files out as the Pulumi CLI does, for the owner alone", async () => {
  expect(await backend.load(name)).toBeUndefined();
  await backend.save(name, { version: 3, deployment: { resources: [], metadata: {} } });
  expect(await readFile(join(folder, ".pulumi", "meta.yaml"), "utf8")).toBe("version: 1\n");
  const file = join(folder, ".pulumi", "stacks", "shop", "dev.json");
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({
    version: 3,
    checkpoint: { stack: "organization/shop/dev", latest: { resources: [], metadata: {} } },
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
  expect(await readdir(dirname(file))).toEqual(["dev.json"]);
  expect(backend.lockFolder(name)).toBe(join(folder, ".pulumi", "locks", "organization", "shop", "dev"));
  expect(await backend.list("shop")).toEqual(["dev"]);
  expect(await backend.list("other")).toEqual([]);
});

test("keeps fields that it does not know", async () => {
  await put(checkpoint({ latest: { resources: [{ urn: "u", type: "t", custom: true, taint: true }], snippets: [1] } }));
  const loaded = await backend.load(name);
  await backend.save(name, loaded ?? expect.fail("nothing was loaded"));
  expect(JSON.parse(await readFile(backend.stackFile(name), "utf8")).checkpoint.latest).toMatchObject({
    resources: [{ taint: true }],
    snippets: [1],
  });
});

describe("a state that it can't go on with is refused and left alone", () => {
  test.each([
    ["no JSON", "{", "STATE_CORRUPT"],
    ["empty", "", "STATE_CORRUPT"],
    ["no checkpoint", "{}", "STATE_CORRUPT"],
    ["no list of resources", checkpoint({ latest: { resources: {} } }), "STATE_CORRUPT"],
    ["a resource without URN", checkpoint({ latest: { resources: [{ type: "t" }] } }), "STATE_CORRUPT"],
    ["latest is no object", checkpoint({ latest: [] }), "STATE_CORRUPT"],
    ["another stack's", checkpoint({ stack: "organization/shop/prod" }), "STATE_FOREIGN"],
    ["a version of the future", checkpoint({}, 99), "STATE_FOREIGN"],
    [
      "unknown features",
      JSON.stringify({ ...JSON.parse(checkpoint({}, 4)), features: ["views", "taint"] }),
      "STATE_FOREIGN",
    ],
  ])("%s", async (_what, content, code) => {
    await put(content);
    await expect(backend.load(name)).rejects.toMatchObject({ code });
    expect(await readFile(backend.stackFile(name), "utf8")).toBe(content);
  });

  test("a compressed one", async () => {
    await put("");
    await rm(backend.stackFile(name));
    await writeFile(`${backend.stackFile(name)}.gz`, "");
    await expect(backend.load(name)).rejects.toMatchObject({ code: "STATE_FOREIGN" });
  });

  test("a folder of stacks without projects, or of another layout", async () => {
    await mkdir(join(folder, ".pulumi", "stacks"), { recursive: true });
    await writeFile(join(folder, ".pulumi", "stacks", "dev.json"), "{}");
    await expect(backend.save(name, { version: 3, deployment: {} })).rejects.toMatchObject({ code: "STATE_FOREIGN" });
    await writeFile(join(folder, ".pulumi", "meta.yaml"), "version: 2\n");
    await expect(backend.save(name, { version: 3, deployment: {} })).rejects.toMatchObject({ code: "STATE_FOREIGN" });
    expect(existsSync(backend.stackFile(name))).toBe(false);
  });
});

test("takes a version 4 with marks of `pulumi state taint`, and writes it so", async () => {
  await backend.save(name, { version: 4, features: ["taint"], deployment: {} });
  expect(await backend.load(name)).toEqual({ version: 4, features: ["taint"], deployment: {} });
  expect(JSON.parse(await readFile(backend.stackFile(name), "utf8"))).toMatchObject({
    version: 4,
    features: ["taint"],
  });
});

test("takes a version 4 without features, and writes it so", async () => {
  await put(checkpoint({}, 4));
  await backend.save(name, (await backend.load(name)) ?? expect.fail("nothing was loaded"));
  expect(JSON.parse(await readFile(backend.stackFile(name), "utf8")).version).toBe(4);
});

test.each(["", "a/b", ".", "..", "a b", "x".repeat(101), "ä"])("%j can't be a stack's name", async (stack) => {
  const refused = expect.objectContaining({ code: "STACK_NAME_INVALID" });
  await expect(backend.load({ project: "shop", stack })).rejects.toEqual(refused);
  expect(() => backend.lockFolder({ project: "shop", stack })).toThrow(refused);
});

test("a writer that is killed at any moment leaves the old file or the new one, never a part", async () => {
  const file = join(folder, "file.json");
  await writeAtomically(file, JSON.stringify({ text: "old" }));
  const source = `
    import { writeAtomically } from ${JSON.stringify(new URL("../../../engine/backend.ts", import.meta.url).href)};
    const text = "new".repeat(1_000_000);
    process.stdout.write("ready\\n");
    for (;;) await writeAtomically(${JSON.stringify(file)}, JSON.stringify({ text }));`;
  for (const delay of [0, 3, 8, 15]) {
    const writer = spawnNode(source);
    await writer.line(/ready/);
    await new Promise((resolve) => setTimeout(resolve, delay));
    await writer.kill();
    const { text } = JSON.parse(await readFile(file, "utf8"));
    expect(["old", "new".repeat(1_000_000)]).toContain(text);
  }
});

test("a folder that can't be written is an error that names the file", async () => {
  await writeFile(join(folder, ".pulumi"), "in the way");
  await expect(backend.save(name, { version: 3, deployment: {} })).rejects.toMatchObject({
    code: expect.stringMatching(/STATE_UNWRITABLE|ENOTDIR/),
  });
});

describe("PULUMI_BACKEND_URL", () => {
  const fallback = () => "/fallback";

  test.each([
    [undefined, "/fallback/.pulumi"],
    ["file:///var/state", "/var/state/.pulumi"],
    ["file:///var/a%20b", "/var/a b/.pulumi"],
    ["file://~", join(homedir(), ".pulumi")],
    ["file://~/state", join(homedir(), "state", ".pulumi")],
    ["file://./state", join(process.cwd(), "state", ".pulumi")],
  ])("%s is the folder %s", (url, root) => {
    expect(openBackend(url === undefined ? {} : { PULUMI_BACKEND_URL: url }, fallback).root).toBe(root);
  });

  test.each(["s3://bucket", "https://api.pulumi.com", "gs://x", "azblob://x"])("%s is refused", (url) => {
    expect(() => openBackend({ PULUMI_BACKEND_URL: url }, fallback)).toThrow(
      expect.objectContaining({
        code: "BACKEND_UNSUPPORTED",
        message: expect.stringContaining(url.split(":")[0] ?? ""),
      }),
    );
  });
});
