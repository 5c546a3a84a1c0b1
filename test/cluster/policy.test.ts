import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { KubeClient } from "../../kube/index.ts";
import { EngineProcess, leftOf } from "../support/engineProcess.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { program, TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
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
async function packWith(config: object = {}) {
  const configFile = join(await mkdtemp(join(folder, "config-")), "policy.json");
  await writeFile(configFile, JSON.stringify({ "gateway-host": { allowLoopback: true }, ...config }));
  return { folder: pack, configFile };
}

test("both flows of the program pass every mandatory policy, from nothing and when nothing changes", async () => {
  await using stack = await TestStack.make("policy", { ...settings, certificateFlow: true });
  stack.policyPacks = [await packWith()];
  await stack.preview();
  const { violations } = await stack.up();
  expect(violations.map(({ policy }) => policy).sort()).toEqual(["token-secret-discouraged", "workload-audience"]);
  expect(stack.violations).toEqual(violations);
  const { violations: again } = await stack.preview();
  expect(again).toEqual(violations);
});

test("a token with an end for an audience of its own satisfies the advisory policies too", async () => {
  await using stack = await TestStack.make("advice", { ...settings, tokenMode: "tokenRequest", audience: "gateway" });
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
  await expect(stack.preview()).rejects.toMatchObject({ message: expect.stringContaining("image-pinned (verifier)") });
});

test("a stack that breaks a mandatory policy is stopped before anything is made", async () => {
  await using stack = await TestStack.make("broken", { ...settings, namespace: "default", createNamespace: false });
  stack.policyPacks = [await packWith()];
  await expect(stack.up()).rejects.toMatchObject({
    code: "POLICY_VIOLATED",
    message: expect.stringMatching(/no-default-namespace \(gateway-token-reviewer\).*Nothing was changed\./),
  });
  expect(stack.steps).toEqual([]);
  expect(stack.said).toMatch(/It is in the namespace default\. Give it a namespace of its own/);
  expect(added(before, await inventory(admin))).toEqual([]);
});

test("what only shows in the middle stops the up there, with the state kept for the next one", async () => {
  await using stack = await TestStack.make("late", settings);
  stack.policyPacks = [await packWith(), { folder: join(program, "test", "support", "latePack") }];
  await expect(stack.up()).rejects.toMatchObject({ code: "POLICY_VIOLATED" });
  expect(stack.steps).toContain("create ServiceAccount");
  expect(stack.steps).not.toContain("create ReviewerToken");
  expect(stack.violations).toContainEqual(
    expect.objectContaining({ pack: "late", version: "1.2.3", policy: "no-token-by-uid", level: "mandatory" }),
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
  stack.policyPacks = [{ folder: pack }];
  await expect(stack.preview()).rejects.toMatchObject({ code: "POLICY_VIOLATED" });
  expect(stack.violations.filter(({ level }) => level === "mandatory").map(({ policy }) => policy)).toContain(
    "gateway-host",
  );
});

test("settings that do not fit are refused with the file's name, before anything is made", async () => {
  await using stack = await TestStack.make("misfit", settings);
  for (const [config, why] of [
    [{ "no-such-policy": "advisory" }, /policy\.json names no-such-policy/],
    [{ "token-lifetime": { maxDays: 0 } }, /policy\.json .*maxDays must be at least 1/],
    [{ "token-lifetime": "strict" }, /expected one of advisory, mandatory/],
  ] as const) {
    stack.policyPacks = [await packWith(config)];
    await expect(stack.up()).rejects.toMatchObject({
      code: "POLICY_PACK_INVALID",
      message: expect.stringMatching(why),
    });
  }
  expect(added(before, await inventory(admin))).toEqual([]);
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
}, 120_000);

describe("with a pack that breaks, an up makes nothing, says why, and leaves no process", () => {
  const broken = async (source: string) => {
    const at = await mkdtemp(join(folder, "pack-"));
    await symlink(join(program, "node_modules"), join(at, "node_modules"), "junction");
    await writeFile(join(at, "PulumiPolicy.yaml"), "runtime: nodejs\n");
    await writeFile(join(at, "package.json"), '{"name":"x","version":"1.0.0","main":"index.js"}');
    await writeFile(join(at, "index.js"), source);
    return at;
  };
  const policyThat = (does: string) =>
    `const { PolicyPack } = require("@pulumi/policy");
    new PolicyPack("x", { policies: [{ name: "p", description: "d", enforcementLevel: "advisory", validateResource() { ${does} } }] });`;

  test.each<[string, string, RegExp]>([
    ["at its start", 'throw new Error("not today");', /not today.*\(PLUGIN_FAILED\)/s],
    ["in the middle", policyThat("process.exit(3);"), /ended while it was asked.*\(POLICY_PACK_FAILED\)/s],
    ["in a policy", policyThat('throw new Error("oh no");'), /oh no.*\(POLICY_PACK_FAILED\)/s],
  ])("%s", async (_what, source, message) => {
    await using stack = await TestStack.make("breaking", settings);
    const engine = EngineProcess.run(stack, "up", ["--policy-pack", await broken(source)]);
    expect(await engine.end()).toBe(1);
    expect(engine.output).toMatch(message);
    expect(leftOf(stack)).toEqual([]);
    expect(added(before, await inventory(admin))).toEqual([]);
  });

  test("that never answers, until it is interrupted", async () => {
    await using stack = await TestStack.make("hanging", settings);
    const source = policyThat('process.stderr.write("thinking\\n"); for (;;);');
    const engine = EngineProcess.run(stack, "preview", ["--policy-pack", await broken(source)]);
    await expect.poll(() => engine.output, { timeout: 50_000 }).toContain("thinking");
    engine.child.kill("SIGINT");
    expect(await engine.end()).toBe(130);
    expect(leftOf(stack)).toEqual([]);
    expect(added(before, await inventory(admin))).toEqual([]);
  });
});
