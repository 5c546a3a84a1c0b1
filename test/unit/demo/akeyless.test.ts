/** The stand-in takes what the official clients send, and refuses what the service refuses. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { matches } from "../../../demo/akeyless/subClaims.ts";
import { accountConfig, apiOf, failureOf, keyPair, tokenConfig } from "../../support/akeyless.ts";

const { publicKey, signingKey } = keyPair();
let gateway: AkeylessTestGateway;

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
});
beforeEach(() => {
  gateway.account.clear();
  gateway.configs.clear();
});
afterAll(() => gateway[Symbol.asyncDispose]());

function call(command: string, body: object) {
  return apiOf(gateway).call(`/${command}`, body, "once", { access_id: "string" });
}

test("logs in with the access type that Terraform names", async () => {
  const { AKEYLESS_ACCESS_ID, AKEYLESS_ACCESS_KEY } = gateway.env;
  const body = { "access-type": "api_key", "access-id": AKEYLESS_ACCESS_ID, "access-key": AKEYLESS_ACCESS_KEY };
  expect(await apiOf(gateway).callWithoutSession("/auth", body)).toMatchObject({
    token: expect.stringMatching(/^t-[0-9a-f]{32}$/),
  });
});

test("takes empty text for what is unset, as Terraform sends it", async () => {
  const unset = { "k8s-client-certificate": "", "k8s-client-key": "", "rancher-api-key": "", "rancher-cluster-id": "" };
  const config = { ...tokenConfig(signingKey), ...unset, "token-exp": 0 };
  await call("gateway-create-k8s-auth-config", config);
  await call("gateway-update-k8s-auth-config", { ...config, "new-name": "" });
  expect(gateway.configs.get("k8s-conf")).toMatchObject({ k8s_auth_type: "bearer_token", am_token_expiration: 300 });
  await call("auth-method-create-k8s", {
    name: "m",
    "public-key": publicKey,
    "gen-key": "false",
    delete_protection: "",
  });
  const renamed = { name: "m", "new-name": "", "public-key": publicKey, "gen-key": "false" };
  expect(await call("auth-method-update-k8s", renamed)).toMatchObject({ name: "m" });
});

test("takes the gateway's own account without a host", async () => {
  await call("gateway-create-k8s-auth-config", { ...accountConfig(signingKey), "k8s-host": "" });
  expect(gateway.configs.get("k8s-conf")?.use_local_ca_jwt).toBe(true);
});

test("refuses a raw JWT in a login: the REST API takes base64", async () => {
  await call("gateway-create-k8s-auth-config", tokenConfig(signingKey));
  const login = {
    "access-type": "k8s",
    "access-id": "p-0123456789ab",
    "k8s-auth-config-name": "k8s-conf",
    "k8s-service-account-token": "a.b.c",
  };
  const { code, message } = await failureOf(apiOf(gateway).callWithoutSession("/auth", login));
  expect(code).toBe("AKEYLESS_INVALID");
  expect(message).toMatch(/InvalidParam: k8s-service-account/);
});

test.each([
  "create-auth-method-k8s",
  "update-auth-method-k8s",
  "get-auth-method",
  "get-account-settings",
  "describe-sub-claims",
  "delete-auth-method",
])("has the route %s of other clients", async (command) => {
  const key = { "gen-key": "false", "public-key": publicKey };
  if (command !== "create-auth-method-k8s") await call("auth-method-create-k8s", { name: "/m", ...key });
  expect(await call(command, { name: "/m", ...key })).toBeTypeOf("object");
});

test("an update of an auth method that says nothing of the key makes a new one", async () => {
  await call("auth-method-create-k8s", { name: "/m" });
  const before = gateway.account.methods.get("/m")?.publicKeyPem;
  expect(await call("auth-method-update-k8s", { name: "/m" })).toHaveProperty("prv_key");
  expect(gateway.account.methods.get("/m")?.publicKeyPem).not.toBe(before);
});

test("ids and errors have the product's forms", async () => {
  const { access_id: accessId } = await call("auth-method-create-k8s", { name: "/m" });
  expect(accessId).toMatch(/^p-[a-z0-9]{14}$/);
  const failing = (command: string) => failureOf(call(command, { name: "/absent" }));
  expect((await failing("describe-item")).message).toMatch(
    /\(status 404\): .*Status 404 Not Found, Error: NotFound\. Message: account id: acc-\w+, access id: p-\w+\. /,
  );
  gateway.permits = () => false;
  expect((await failing("describe-item")).message).toMatch(/Status 401 Unauthorized, Error: UnauthorizedAccess/);
  gateway.permits = () => true;
  expect((await failing("assoc-role-am")).message).toMatch(/InvalidParam: Missing required parameter - role-name/);
});

describe("a sub-claim", () => {
  test.each<[string, string[], string[], boolean]>([
    ["a value", ["shop"], ["shop"], true],
    ["another value", ["till"], ["shop"], false],
    ["one of several values", ["till"], ["shop", "till"], true],
    ["* for any number of characters", ["shop-7f9"], ["shop-*"], true],
    ["? for one character", ["121"], ["1?1"], true],
    ["? for one character alone", ["1231"], ["1?1"], false],
    ["a dot, which is no wildcard", ["axb"], ["a.b"], false],
    ["AND", ["a", "b"], ["a AND b"], true],
    ["AND, of which one is missing", ["a"], ["a AND b"], false],
    ["OR", ["b"], ["a OR b"], true],
    ["operators from the left", ["c"], ["a AND b OR c"], true],
    ["operators from the left, not by precedence", ["a"], ["a OR b AND c"], false],
  ])("matches by %s", (_what, found, values, matching) => {
    expect(matches(found, values, { caseSensitive: true, operators: true })).toBe(matching);
  });

  test("has no operators before gateway 4.19", () => {
    expect(matches(["b"], ["a OR b"], { caseSensitive: true, operators: false })).toBe(false);
  });

  test("is compared by case, or not", () => {
    expect(matches(["Shop"], ["shop"], { caseSensitive: true, operators: true })).toBe(false);
    expect(matches(["Shop"], ["shop"], { caseSensitive: false, operators: true })).toBe(true);
  });
});
