import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { adminOf } from "../../support/inventory.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { type Properties, revealed, secretOf } from "../../support/plugin/properties.ts";
import { FaultProxy } from "../../support/proxies/faultProxy.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import {
  adminToken,
  kubeconfigFor,
  makeReviewer,
  type Reviewer,
  reviewerType,
  secretPath,
} from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let target: { server: string; caPem: string };
let admin: KubeClient;
let engine: FakeEngine;
let plugin: Plugin;
let proxy: FaultProxy;
let proxied: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  target = await loadConnection({ kubeconfig }, {});
  engine = await startEngine();
  plugin = await Plugin.start(engine);
  proxy = await FaultProxy.start(target);
  proxied = kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) });
});
beforeEach(() => {
  engine.lines.length = 0;
  proxy.clear();
});
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  admin?.close();
});

const tokenPath = /\/serviceaccounts\/[^/]+\/token$/;
const said = () => engine.lines.map(({ message }) => message).join("\n");

function inputsOf(reviewer: Reviewer, more: object = {}, through = kubeconfig): Properties {
  return { kubeconfig: secretOf(through), ...reviewer.inputs, mode: "tokenRequest", expirationSeconds: 3600, ...more };
}

test("the end that the API server answers counts, not the one asked for", async () => {
  const reviewer = await makeReviewer(admin, target);
  const end = new Date(Math.floor(Date.now() / 1000 + 900) * 1000).toISOString().replace(".000Z", "Z");
  proxy.add({
    path: tokenPath,
    change: (body) => ({ ...body, status: { ...(body.status as object), expirationTimestamp: end } }),
  });
  const inputs = inputsOf(reviewer, { renewBefore: 1800 }, proxied);
  const { notAfter, renewAfter } = revealed((await plugin.create(reviewerType, inputs)).outputs);
  expect(notAfter).toBe(end);
  const leftMs = Date.parse(end) - Date.parse(String(renewAfter));
  expect(leftMs).toBeGreaterThan(200_000);
  expect(leftMs).toBeLessThan(310_000);
  expect(said()).toMatch(
    /chose a lifetime of \d{3} s instead of the requested 3600 s.*"renewBefore" \(1800 s\) is longer than the lifetime/,
  );
});

test("a longer renewBefore makes a token due in the same run", async () => {
  const reviewer = await makeReviewer(admin, target);
  const inputs = inputsOf(reviewer);
  const { id, outputs } = await plugin.create(reviewerType, inputs);
  const issuedAt = new Date(Date.now() - 1_000_000).toISOString();
  const older = { ...outputs, notBefore: issuedAt };
  const diff = (more: object) => plugin.diff(reviewerType, id, older, inputs, { ...inputs, ...more });
  expect(await diff({})).toMatchObject({ changes: false });
  expect(await diff({ renewBefore: 3_700 })).toMatchObject({ replaces: ["renewAfter"] });
  expect(said()).toMatch(/is due for renewal since/);
});

test.each([
  [
    403,
    'serviceaccounts "gateway-token-reviewer" is forbidden: User "jane" cannot create resource "serviceaccounts/token"',
    /TOKEN_MAY_NOT_MINT.*create serviceaccounts\/token "gateway-token-reviewer" in namespace/,
  ],
  [403, 'admission webhook "tokens.example.com" denied the request: not on Fridays', /KUBE_DENIED.*not on Fridays/],
  [404, "the server could not find the requested resource", /TOKEN_PROJECTION_OFF/],
  [422, "may not specify a duration of more than 2^32", /TOKEN_PROJECTION_OFF.*duration/],
])("a server that answers %i is explained", async (status, message, expected) => {
  const reviewer = await makeReviewer(admin, target);
  proxy.add({
    path: tokenPath,
    answer: { status, body: { kind: "Status", status: "Failure", code: status, message } },
  });
  await expect(plugin.create(reviewerType, inputsOf(reviewer, {}, proxied))).rejects.toThrow(expected);
});

test("a Secret that something else made, or that is gone, gets no token bound to it", async () => {
  const reviewer = await makeReviewer(admin, target);
  await expect(plugin.create(reviewerType, inputsOf(reviewer, { secretUid: "another" }))).rejects.toThrow(
    /TOKEN_SECRET_OTHER/,
  );
  await admin.delete(secretPath(reviewer));
  await expect(plugin.create(reviewerType, inputsOf(reviewer))).rejects.toThrow(/TOKEN_SECRET_MISSING/);
});

test("with proof self the account needs no right, and without it one is named", async () => {
  const reviewer = await makeReviewer(admin, target, { bound: false });
  const inputs = inputsOf(reviewer, { proof: "self" });
  const made = await plugin.create(reviewerType, inputs);
  expect(revealed(made.outputs)).toMatchObject({
    kind: "TokenRequest",
    subject: `system:serviceaccount:${reviewer.namespace}:gateway-token-reviewer`,
    issuerSource: "none",
  });
  expect(await plugin.diff(reviewerType, made.id, made.outputs, inputs, inputs)).toMatchObject({ changes: false });
  await expect(plugin.create(reviewerType, inputsOf(reviewer))).rejects.toThrow(/TOKEN_MAY_NOT_REVIEW/);
});

test("inputs that can't be right are refused by check", async () => {
  const reviewer = await makeReviewer(admin, target);
  const wrong = { mode: "none", proof: "none", expirationSeconds: 599, renewBefore: 600 };
  const { failures } = await plugin.check(reviewerType, { ...reviewer.inputs, ...wrong });
  expect(failures.map(({ property }) => property).sort()).toEqual([
    "expirationSeconds",
    "mode",
    "proof",
    "renewBefore",
  ]);
});
