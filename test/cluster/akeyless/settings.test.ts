import { afterAll, beforeAll, expect, test } from "vitest";
import { PushingStack } from "../../support/gateways/akeylessStack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const bound = { boundNamespaces: ["shop"] };
let pushing: PushingStack;

beforeAll(async () => {
  pushing = await PushingStack.make("akeyless-settings", workerKubeconfig(), { akeylessAuthMethod: bound });
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

test("an unknown claim is a warning of the preview", async () => {
  await pushing.stack.configure({ akeylessRoles: { "/r": { namespaces: "shop" } } });
  await pushing.stack.preview();
  expect(pushing.stack.said).toMatch(/"namespaces", which is not a known claim/);
});

test("what the cluster's check refuses leaves nothing in the account", async () => {
  await using refused = await PushingStack.make("akeyless-unchecked", workerKubeconfig(), {
    akeylessAuthMethod: bound,
    kubernetesHost: "https://127.0.0.1:1",
  });
  await expect(refused.stack.up()).rejects.toThrow(/CLUSTER_HOST_PROOF_FAILED/);
  expect(refused.gateway.commands).toEqual([]);
});
