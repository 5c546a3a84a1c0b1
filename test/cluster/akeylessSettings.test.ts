import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { Value } from "../../engine/index.ts";
import { PushingStack } from "../support/akeylessStack.ts";

const bound = { boundNamespaces: ["shop"] };
let pushing: PushingStack;

beforeAll(async () => {
  pushing = await PushingStack.make("akeyless-settings", inject("kubeconfig"), { akeylessAuthMethod: bound });
});

afterAll(() => pushing?.[Symbol.asyncDispose]());

test("a preview knows what will be pushed, without credentials and without asking the gateway", async () => {
  const { env } = pushing.stack;
  const { AKEYLESS_ACCESS_KEY } = env;
  delete env.AKEYLESS_ACCESS_KEY;
  await pushing.stack.preview();
  env.AKEYLESS_ACCESS_KEY = AKEYLESS_ACCESS_KEY;
  expect(pushing.gateway.commands).toEqual([]);
});

const certificate = {
  tokenFlow: false,
  certificateFlow: true,
  certificateRequest: "-----BEGIN CERTIFICATE REQUEST-----",
};

test.each<[string, Record<string, Value>, RegExp]>([
  ["no gateway", { akeylessGatewayUrl: "" }, /akeylessPush is true, but k8sauth:akeylessGatewayUrl is not set/],
  [
    "an API without encryption",
    { akeylessGatewayApi: "http://gateway:8000" },
    /akeylessGatewayApi is not an https URL/,
  ],
  ["no bounds", { akeylessAuthMethod: {} }, /akeylessAuthMethod binds the auth method to nothing/],
  ["an unknown bound", { akeylessAuthMethod: { ...bound, boundPods: ["a"] } }, /has "boundPods"; it has name/],
  ["a bound that is no list", { akeylessAuthMethod: { boundNamespaces: "shop" } }, /boundNamespaces is not a list/],
  [
    "an access id without its key",
    { akeylessAccessId: "p-1", akeylessAuthMethod: {} },
    /without k8sauth:akeylessSigningKey/,
  ],
  ["two auth methods", { akeylessAccessId: "p-1" }, /akeylessAuthMethod is set beside k8sauth:akeylessAccessId/],
  [
    "roles without claims' values",
    { akeylessRoles: { "/r": { namespace: 1 } } },
    /akeylessRoles is not an object of roles/,
  ],
  ["days that are none", { akeylessExpiryNoticeDays: [0] }, /akeylessExpiryNoticeDays is not a list of days/],
  ["an account without namespace", { akeylessProofAccount: "shop" }, /akeylessProofAccount is not NAMESPACE\/NAME/],
  ["no key of the certificate", certificate, /the stack has no credential of a reviewer to push/],
])("%s is refused before anything is made", async (_what, wrong, message) => {
  await using stack = await PushingStack.make("akeyless-refused", inject("kubeconfig"), {
    akeylessAuthMethod: bound,
    ...wrong,
  });
  await expect(stack.stack.preview()).rejects.toThrow();
  expect(stack.stack.said).toMatch(message);
  expect(stack.gateway.commands).toEqual([]);
});

test("a claim that no login has is refused in the preview", async () => {
  await pushing.stack.configure({ akeylessRoles: { "/r": { namespaces: "shop" } } });
  await expect(pushing.stack.preview()).rejects.toThrow(/"namespaces" is not a claim/);
});

test("what the cluster's check refuses leaves nothing in the account", async () => {
  await using refused = await PushingStack.make("akeyless-unchecked", inject("kubeconfig"), {
    akeylessAuthMethod: bound,
    kubernetesHost: "https://127.0.0.1:1",
  });
  await expect(refused.stack.up()).rejects.toThrow(/CLUSTER_HOST_PROOF_FAILED/);
  expect(refused.gateway.commands).toEqual([]);
});
