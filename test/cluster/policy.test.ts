import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../kubernetes/index.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { leftOf } from "../support/pulumi/pulumiProcess.ts";
import { type PolicyPack, program, TestStack } from "../support/pulumi/stack.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const settings = { kubeconfig, allowLoopbackHost: true };
const pack = join(program, "policy");
let folder: string;
let admin: KubeClient;
let before: string[];

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  folder = await mkdtemp(join(tmpdir(), "k8sauth-policy-"));
});

beforeEach(async () => {
  before = await inventory(admin);
});

afterAll(async () => {
  admin?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A file with a pack's settings; the sandbox's address is a loopback one. */
async function packWith(settings: object = {}, path = pack): Promise<PolicyPack> {
  return { path, config: await configFile({ "gateway-host": { allowLoopback: true }, ...settings }) };
}

async function configFile(config: object): Promise<string> {
  const file = join(await mkdtemp(join(folder, "config-")), "policy.json");
  await writeFile(file, JSON.stringify(config));
  return file;
}

/** A flag for `up`: the preview that users get before it. */
const withPreview = "--skip-preview=false";

test("both flows of the program pass every mandatory policy, from nothing and when nothing changes", async () => {
  await using stack = await TestStack.make("policy", { ...settings, certificateFlow: true });
  stack.policyPacks = [await packWith()];
  await stack.preview();
  const { violations } = await stack.up();
  expect(violations.map(({ policy }) => policy).sort()).toEqual([
    "reviewer-protected",
    "reviewer-protected",
    "token-secret-discouraged",
    "workload-audience",
  ]);
  expect(stack.violations).toEqual(violations);
  // Resources are registered in no fixed order.
  const byResource = <V extends { readonly urn: string }>(found: readonly V[]) =>
    found.toSorted((a, b) => a.urn.localeCompare(b.urn));
  const { violations: again } = await stack.preview();
  expect(byResource(again)).toEqual(byResource(violations));
});

test("a protected reviewer with a token that expires, for the gateway's own audience, satisfies the advisory policies too", async () => {
  const advised = { tokenMode: "tokenRequest", audience: "gateway", protect: true };
  await using stack = await TestStack.make("advice", { ...settings, ...advised });
  stack.policyPacks = [await packWith()];
  expect((await stack.up()).violations).toEqual([]);
});

test("users, and a verifier whose image is pinned, pass as well; one that is not pinned is refused", async () => {
  const reader = {
    namespace: "shop",
    createNamespace: true,
    tokenMode: "tokenRequest",
    rules: [{ resources: ["pods"], verbs: ["get"] }],
  };
  const verifierImage = `registry.example/nodejs@sha256:${"0".repeat(64)}`;
  const verifier = { verifier: true, verifierAudiences: ["shop"], verifierImage };
  await using stack = await TestStack.make("verifier", { ...settings, ...verifier, bearerTokenUsers: { reader } });
  stack.policyPacks = [await packWith()];
  expect((await stack.preview()).violations.filter(({ level }) => level === "mandatory")).toEqual([]);
  await stack.configure({ verifierImage: "registry.example/nodejs:24" });
  await expect(stack.preview()).rejects.toThrow();
  const refused = stack.violations.filter(({ level }) => level === "mandatory");
  expect(refused).toEqual([
    expect.objectContaining({ policy: "image-pinned", urn: expect.stringMatching(/Deployment::verifier$/) }),
  ]);
});

test("a stack that breaks a mandatory policy is stopped before anything is created", async () => {
  await using stack = await TestStack.make("broken", { ...settings, namespace: "default", createNamespace: false });
  stack.policyPacks = [await packWith()];
  await expect(stack.up(undefined, withPreview)).rejects.toMatchObject({ status: 1 });
  expect(stack.violations).toContainEqual({
    pack: "k8sauth",
    policy: "no-default-namespace",
    level: "mandatory",
    urn: expect.stringMatching(/ServiceAccount::gateway-token-reviewer$/),
    message: expect.stringMatching(/It is in the namespace default\. Choose another namespace \(k8sauth:namespace,/),
  });
  expect(added(before, await inventory(admin))).toEqual([]);
});

test("what only shows in the middle stops the up there, with the state kept for the next one", async () => {
  await using stack = await TestStack.make("late", settings);
  stack.policyPacks = [
    await packWith(),
    { path: join(program, "test", "support", "pulumi", "latePack"), config: await configFile({}) },
  ];
  const { violations } = await stack.preview();
  expect(violations).toContainEqual(
    expect.objectContaining({ pack: "late", level: "advisory", message: expect.stringContaining("can't run policy") }),
  );
  await expect(stack.up()).rejects.toThrow("no-token-by-uid");
  expect(stack.steps).toContain("create ServiceAccount");
  expect(stack.steps).not.toContain("create ReviewerToken");
  expect(stack.violations).toContainEqual(
    expect.objectContaining({ pack: "late", policy: "no-token-by-uid", level: "mandatory" }),
  );
  const made = added(before, await inventory(admin));
  stack.policyPacks = [];
  await stack.up();
  expect(stack.steps).toEqual(["create ReviewerToken"]);
  expect(added(before, await inventory(admin))).toEqual(made);
});

test("a level in the settings decides: advisory lets pass, disabled says nothing", async () => {
  await using stack = await TestStack.make("levels", { ...settings, namespace: "default", createNamespace: false });
  stack.policyPacks = [await packWith({ "no-default-namespace": "advisory", "token-secret-discouraged": "disabled" })];
  const { violations } = await stack.preview();
  const policies = new Set(violations.map(({ policy }) => policy));
  expect(policies).toContain("no-default-namespace");
  expect(policies).not.toContain("token-secret-discouraged");
});

test("without the setting for sandboxes the loopback address is refused", async () => {
  await using stack = await TestStack.make("loopback", settings);
  stack.policyPacks = [{ path: pack }];
  await expect(stack.preview()).rejects.toThrow("gateway-host");
  expect(stack.violations.filter(({ level }) => level === "mandatory").map(({ policy }) => policy)).toContain(
    "gateway-host",
  );
});

test.each([
  [{ "token-lifetime": { maxDays: 0 } }, /token-lifetime.*maxDays/s],
  [{ "token-lifetime": "strict" }, /token-lifetime.*strict|strict.*token-lifetime/s],
])("settings that do not fit are refused before anything is created: %j", async (settingsOfPack, why) => {
  await using stack = await TestStack.make("misfit", settings);
  stack.policyPacks = [await packWith(settingsOfPack)];
  await expect(stack.up(undefined, withPreview)).rejects.toMatchObject({ message: expect.stringMatching(why) });
  expect(added(before, await inventory(admin))).toEqual([]);
});

test("a value that is not known in a preview is a warning, not a pass", async () => {
  await using stack = await TestStack.make("unknown", { ...settings, certificateFlow: true });
  stack.policyPacks = [await packWith()];
  const { violations } = await stack.preview();
  expect(violations).toContainEqual(
    expect.objectContaining({ level: "advisory", message: expect.stringContaining("can't run policy") }),
  );
});

test("a copy of the pack in another folder works, and nothing is written beside it", async () => {
  const beside = await mkdtemp(join(folder, "copy-"));
  const copy = join(beside, "pack");
  await cp(pack, copy, { recursive: true, filter: (name) => !name.includes("node_modules") });
  await symlink(join(program, "node_modules"), join(copy, "node_modules"), "junction");
  await using stack = await TestStack.make("copy", settings);
  stack.policyPacks = [await packWith({ "token-secret-discouraged": "mandatory" }, copy)];
  await expect(stack.preview()).rejects.toThrow("token-secret-discouraged");
  expect(await readdir(beside)).toEqual(["pack"]);
  expect((await readdir(copy)).sort()).toEqual([...new Set([...(await readdir(pack)), "node_modules"])].sort());
});

test("no credential is in what the policies say", async () => {
  await using stack = await TestStack.make("quiet", { ...settings, certificateFlow: true });
  stack.policyPacks = [await packWith({ "token-lifetime": { maxDays: 1 } })];
  await stack.up();
  const { clusterAccess } = (await stack.outputs()) as { clusterAccess: { token: string; privateKeyPem: string } };
  await stack.preview();
  const said = [...stack.history, ...stack.events].map((event) => JSON.stringify(event)).join("\n");
  expect(clusterAccess.token.length).toBeGreaterThan(100);
  for (const secret of [clusterAccess.token, clusterAccess.privateKeyPem]) {
    expect(said).not.toContain(JSON.stringify(secret).slice(1, -1));
  }
});

describe("with a pack that breaks, an up creates nothing, says why, and leaves no process", () => {
  const broken = async (source: string): Promise<PolicyPack> => {
    const path = await mkdtemp(join(folder, "pack-"));
    await symlink(join(program, "node_modules"), join(path, "node_modules"), "junction");
    await writeFile(join(path, "PulumiPolicy.yaml"), "runtime: nodejs\n");
    await writeFile(join(path, "package.json"), '{"name":"x","version":"1.0.0","main":"index.js"}');
    await writeFile(join(path, "index.js"), source);
    return { path };
  };
  const policyThat = (does: string) =>
    `const { PolicyPack } = require("@pulumi/policy");
    new PolicyPack("x", { policies: [{ name: "p", description: "d", enforcementLevel: "advisory", validateResource() { ${does} } }] });`;

  test.each<[string, string, RegExp]>([
    ["at its start", 'throw new Error("not today");', /not today/],
    ["in the middle", policyThat("process.exit(3);"), /failed to run policy: .*EOF/],
    ["in a policy", policyThat('throw new Error("oh no");'), /oh no/],
  ])("%s", async (_what, source, message) => {
    await using stack = await TestStack.make("breaking", settings);
    stack.policyPacks = [await broken(source)];
    await expect(stack.up(undefined, withPreview)).rejects.toMatchObject({ message: expect.stringMatching(message) });
    expect(leftOf(stack)).toEqual([]);
    expect(added(before, await inventory(admin))).toEqual([]);
  });

  // Pulumi waits 35 s for a pack's answer to its cancellation before it has the language host end the pack.
  test("that never answers, until it is interrupted", { timeout: 120_000 }, async () => {
    await using stack = await TestStack.make("hanging", settings);
    const asked = join(await mkdtemp(join(folder, "asked-")), "asked");
    const source = policyThat(`require("node:fs").writeFileSync(${JSON.stringify(asked)}, ""); for (;;);`);
    stack.policyPacks = [await broken(source)];
    const interrupt = new AbortController();
    const ended = expect(stack.up(interrupt.signal, withPreview)).rejects.toThrow("context canceled");
    await expect.poll(() => existsSync(asked), { timeout: 50_000 }).toBe(true);
    interrupt.abort();
    await ended;
    expect(leftOf(stack)).toEqual([]);
    expect(added(before, await inventory(admin))).toEqual([]);
  });
});
