import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { revealed, secretOf } from "../../support/plugin/properties.ts";
import {
  accountPath,
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
import { admin, inputsOf, made, plugin, sandbox, soon, tokens, warnings } from "./resourceFixture.ts";

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
    const diff = await vi.waitFor(async () => {
      const seen = await plugin.diff(reviewerType, id, wire, inputs, inputs);
      expect(seen.changes).toBe(true);
      return seen;
    }, soon);
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
    const diff = await vi.waitFor(async () => {
      const seen = await plugin.diff(reviewerType, id, wire, inputs, inputs);
      expect(seen.changes).toBe(true);
      return seen;
    }, soon);
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
