import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import {
  type Diff,
  type FakeEngine,
  isSecret,
  Plugin,
  type Properties,
  revealed,
  secretOf,
  startEngine,
} from "../../unit/provider/plugin.ts";
import {
  accountPath,
  adminClient,
  adminToken,
  bindingOf,
  bindingPath,
  faultyProxy,
  kubeconfigFor,
  makeReviewer,
  type Reviewer,
  reviewerType,
  secretPath,
  tcpProxy,
} from "../providerFixture.ts";

let sandbox: Sandbox;
let admin: KubeClient;
let engine: FakeEngine;
let plugin: Plugin;
const tokens = new Set<string>();

beforeAll(async () => {
  // The setup of the products' documents: no discovery, and an audience of its own beside.
  sandbox = await startSandbox({
    name: "provider-token",
    ephemeral: true,
    issuer: "api",
    apiAudiences: ["api", "known"],
  });
  admin = await adminClient(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
});
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  admin?.close();
  await sandbox?.stop();
  expect(tokens.size).toBeGreaterThan(3);
  for (const token of tokens) expect(seen).not.toContain(token);
  expect(seen).not.toContain("eyJ");
});

function inputsOf(reviewer: Reviewer, more: object = {}): Properties {
  return { kubeconfig: secretOf(sandbox.kubeconfig), ...reviewer.inputs, ...more };
}

async function made(reviewer: Reviewer, more: object = {}) {
  const created = await plugin.create(reviewerType, inputsOf(reviewer, more));
  expect(isSecret(created.outputs.token)).toBe(true);
  const outputs = revealed(created.outputs);
  tokens.add(String(outputs.token));
  return { id: created.id, wire: created.outputs, outputs };
}

async function warnings(): Promise<string> {
  return engine.lines
    .filter((line) => line.severity === "warning")
    .map((line) => line.message)
    .join("\n");
}

/** The API server keeps a successful review for 10 s: a token's death shows after that. */
async function eventually(look: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error("it did not happen within 20 s");
    await sleep(250);
  }
}

describe("a token", () => {
  test("is waited for, proved, and described without being shown", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const { id, outputs } = await made(reviewer);
    const secret = await admin.get<{ data: { token: string } }>(secretPath(reviewer));
    const token = Buffer.from(secret.data.token, "base64").toString();
    expect(id).toBe(`${reviewer.namespace}/gateway-token-reviewer-token`);
    expect(outputs).toMatchObject({
      kind: "Secret",
      token,
      tokenSha256: createHash("sha256").update(token).digest("hex"),
      subject: `system:serviceaccount:${reviewer.namespace}:gateway-token-reviewer`,
      uid: reviewer.inputs.serviceAccountUid,
      issuer: "api",
      issuerSource: "token",
      notBefore: "",
      notAfter: "",
      audience: "",
      audienceAcceptedByDefault: true,
    });
    expect(await warnings()).toBe("");
  });

  test("for an audience that the server knows passes any review, for another one only those that name it", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    expect((await made(reviewer, { audience: "known" })).outputs.audienceAcceptedByDefault).toBe(true);
    expect(await warnings()).toBe("");
    expect((await made(reviewer, { audience: "akeyless.io" })).outputs.audienceAcceptedByDefault).toBe(false);
    expect(await warnings()).toMatch(/akeyless\.io.*--api-audiences/);
  });

  test("an issuer that discovery found stays", async () => {
    const { outputs } = await made(await makeReviewer(admin, sandbox), { issuer: "https://issuer.example" });
    expect(outputs).toMatchObject({ issuer: "https://issuer.example", issuerSource: "discovery" });
  });

  test("whose binding comes late is proved when it is there", async () => {
    const reviewer = await makeReviewer(admin, sandbox, { bound: false });
    const work = made(reviewer);
    await sleep(300);
    await admin.create(bindingPath(), bindingOf(reviewer.binding, reviewer.namespace, "gateway-token-reviewer"));
    expect((await work).outputs.subject).toContain(reviewer.namespace);
  });

  test("without a binding is refused with the right that it lacks", async () => {
    const reviewer = await makeReviewer(admin, sandbox, { bound: false });
    await expect(plugin.create(reviewerType, inputsOf(reviewer))).rejects.toThrow(
      /TOKEN_MAY_NOT_REVIEW.*create tokenreviews\.authentication\.k8s\.io/,
    );
  });

  test("a changed host, issuer or audience is proved anew with the same token", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const { id, wire, outputs } = await made(reviewer);
    await using proxy = await tcpProxy(sandbox.server);
    const news = inputsOf(reviewer, { host: proxy.url, audience: "known" });
    const diff = await plugin.diff(reviewerType, id, wire, inputsOf(reviewer), news);
    expect(diff).toMatchObject({ diffs: ["host", "audience"], replaces: [] });
    const updated = revealed(await plugin.update(reviewerType, id, wire, inputsOf(reviewer), news));
    expect(updated).toEqual({ ...outputs, host: proxy.url, audience: "known" });
    const preview = revealed(await plugin.update(reviewerType, id, wire, inputsOf(reviewer), news, true));
    expect(preview).toMatchObject({ token: outputs.token, host: proxy.url });
  });
});

describe("drift", () => {
  test("none: neither diff nor read says anything", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const { id, wire } = await made(reviewer);
    const inputs = inputsOf(reviewer);
    expect(await plugin.diff(reviewerType, id, wire, inputs, inputs)).toMatchObject({ changes: false });
    const read = await plugin.read(reviewerType, id, wire, inputs);
    expect(read.id).toBe(id);
    expect(revealed(read.outputs)).toEqual(revealed(wire));
  });

  test.each<[string, (reviewer: Reviewer) => string]>([
    ["Secret", secretPath],
    ["ServiceAccount", accountPath],
  ])("a token whose %s was deleted is replaced by diff, and gone for read", async (_kind, path) => {
    const reviewer = await makeReviewer(admin, sandbox);
    const { id, wire } = await made(reviewer);
    const inputs = inputsOf(reviewer);
    await admin.delete(path(reviewer));
    let diff: Diff | undefined;
    await eventually(async () => {
      diff = await plugin.diff(reviewerType, id, wire, inputs, inputs);
      return diff.changes;
    });
    expect(diff).toMatchObject({ replaces: ["token"], kinds: { token: 5 } });
    expect((await plugin.read(reviewerType, id, wire, inputs)).id).toBe("");
    await expect(plugin.create(reviewerType, inputs, { timeout: 2 })).rejects.toThrow(
      /TOKEN_(SECRET|ACCOUNT)_MISSING.*refresh/,
    );
  });

  test("a missing binding is a change that up cannot make, and is not the token's death", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const { id, wire } = await made(reviewer);
    const inputs = inputsOf(reviewer);
    await admin.delete(bindingPath(reviewer.binding));
    let diff: Diff | undefined;
    await eventually(async () => {
      diff = await plugin.diff(reviewerType, id, wire, inputs, inputs);
      return diff.changes;
    });
    expect(diff).toMatchObject({ diffs: ["proof"], replaces: [] });
    expect(await warnings()).toMatch(/lacks the right create tokenreviews.*pulumi up --refresh/);
    await expect(plugin.update(reviewerType, id, wire, inputs, inputs)).rejects.toThrow(/TOKEN_MAY_NOT_REVIEW/);
    expect((await plugin.read(reviewerType, id, wire, inputs)).id).toBe(id);
  });

  test("a server that cannot be reached is an error, or a warning and no drift if `offline` is warn", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const proxy = await tcpProxy(sandbox.server);
    const { id, wire } = await made(reviewer, { host: proxy.url });
    await proxy[Symbol.asyncDispose]();
    const inputs = inputsOf(reviewer, { host: proxy.url });
    const refused = /KUBE_REFUSED: The token of .* was not tried/;
    await expect(plugin.diff(reviewerType, id, wire, inputs, inputs)).rejects.toThrow(refused);
    await expect(plugin.read(reviewerType, id, wire, inputs)).rejects.toThrow(refused);
    const offline = { ...inputs, offline: "warn" };
    expect(await plugin.diff(reviewerType, id, wire, inputs, offline)).toMatchObject({ changes: false });
    expect((await plugin.read(reviewerType, id, wire, offline)).id).toBe(id);
    expect(await warnings()).toMatch(/was not tried/);
  });

  test("another host is where the token is tried: the old one need not answer any more", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const proxy = await tcpProxy(sandbox.server);
    const { id, wire } = await made(reviewer, { host: proxy.url });
    await proxy[Symbol.asyncDispose]();
    const diff = await plugin.diff(reviewerType, id, wire, inputsOf(reviewer, { host: proxy.url }), inputsOf(reviewer));
    expect(diff).toMatchObject({ diffs: ["host"], replaces: [] });
  });
});

describe("a cluster without a token controller", () => {
  let waiting: Reviewer;

  beforeAll(async () => {
    await sandbox.component("kube-controller-manager").kill();
    waiting = await makeReviewer(admin, sandbox);
  });
  afterAll(() => sandbox.component("kube-controller-manager").restart());

  test("a token that never comes ends the wait, and TokenRequest mode is named", async () => {
    const work = plugin.create(reviewerType, inputsOf(waiting), { timeout: 2 });
    await expect(work).rejects.toThrow(/TOKEN_NOT_FILLED.*TokenRequest/);
    expect(engine.lines).toContainEqual(
      expect.objectContaining({ ephemeral: true, message: expect.stringContaining("Waiting for the token") }),
    );
  });

  test("a Secret with ca.crt alone is still waited for", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    await admin.apply(
      secretPath(reviewer),
      { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token", data: { "ca.crt": "eA==" } },
      { fieldManager: "test" },
    );
    await expect(plugin.create(reviewerType, inputsOf(reviewer), { timeout: 1 })).rejects.toThrow(/TOKEN_NOT_FILLED/);
  });

  test.each<[string, (reviewer: Reviewer) => string, RegExp]>([
    ["Secret", secretPath, /TOKEN_SECRET_MISSING/],
    ["ServiceAccount", accountPath, /TOKEN_ACCOUNT_MISSING/],
  ])("a %s that is deleted during the wait ends it", async (_kind, path, expected) => {
    const reviewer = await makeReviewer(admin, sandbox);
    const work = plugin.create(reviewerType, inputsOf(reviewer), { timeout: 20 });
    const outcome = work.then(
      () => undefined,
      (error: unknown) => error,
    );
    await sleep(200);
    await admin.delete(path(reviewer));
    expect(String(await outcome)).toMatch(expected);
  });

  test("a Secret that something else made under the name is refused", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    await expect(plugin.create(reviewerType, inputsOf(reviewer, { secretUid: "another" }))).rejects.toThrow(
      /TOKEN_SECRET_OTHER/,
    );
  });

  test("a Secret filled with what is no token, or another account's, is emptied once, and refused if that comes back", async () => {
    const reviewer = await makeReviewer(admin, sandbox);
    const fill = (token: string) =>
      admin.apply(
        secretPath(reviewer),
        { apiVersion: "v1", kind: "Secret", data: { token: Buffer.from(token).toString("base64") } },
        { fieldManager: "test", force: true },
      );
    const isEmpty = async () => {
      const { data } = await admin.get<{ data?: { token?: string } }>(secretPath(reviewer));
      return !data?.token;
    };
    await fill("no token");
    await expect(plugin.create(reviewerType, inputsOf(reviewer), { timeout: 1 })).rejects.toThrow(/TOKEN_NOT_FILLED/);
    expect(await isEmpty()).toBe(true);
    expect(await warnings()).toMatch(/not a JWT.*It is emptied/);
    const foreign = await adminToken(admin);
    tokens.add(foreign);
    await fill(foreign);
    const refused = expect(plugin.create(reviewerType, inputsOf(reviewer))).rejects.toThrow(
      /TOKEN_SUBJECT_OTHER.*system:serviceaccount:default/,
    );
    await eventually(isEmpty);
    await fill(foreign);
    await refused;
  });

  test("cancel ends the wait within 2 s", async () => {
    await using own = await Plugin.start(engine);
    const reviewer = await makeReviewer(admin, sandbox);
    const outcome = own.create(reviewerType, inputsOf(reviewer)).catch((error: unknown) => String(error));
    await sleep(300);
    const started = performance.now();
    await own.cancel();
    expect(await outcome).toMatch(/CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("token request projection", () => {
  async function throughFaults(status: number, message: string) {
    const token = await adminToken(admin);
    tokens.add(token);
    const proxy = await faultyProxy(sandbox, (method, path) =>
      method === "POST" && /\/serviceaccounts\/[^/]+\/token$/.test(path) ? { status, message } : undefined,
    );
    return { proxy, kubeconfig: secretOf(kubeconfigFor(proxy.url, proxy.caPem, { token })) };
  }

  test.each([
    [404, "the server could not find the requested resource"],
    [500, "failed to generate token"],
  ])("a server that answers %d names the options to set", async (status, message) => {
    const { proxy, kubeconfig } = await throughFaults(status, message);
    await using _ = proxy;
    const reviewer = await makeReviewer(admin, sandbox);
    await expect(plugin.create(reviewerType, inputsOf(reviewer, { kubeconfig }))).rejects.toThrow(
      /TOKEN_PROJECTION_OFF.*--service-account-issuer, --service-account-key-file, --service-account-signing-key-file and --api-audiences/,
    );
  });

  test("a deployer who may not mint is warned, and goes on without an issuer", async () => {
    const { proxy, kubeconfig } = await throughFaults(
      403,
      'User "jane" cannot create resource "serviceaccounts/token"',
    );
    await using _ = proxy;
    const { outputs } = await made(await makeReviewer(admin, sandbox), { kubeconfig });
    expect(outputs).toMatchObject({ issuer: "", issuerSource: "none" });
    expect(await warnings()).toMatch(/serviceaccounts\/token/);
  });
});
