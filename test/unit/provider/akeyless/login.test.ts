/** Sessions of Akeyless, and the credentials that open one. */
import { describe, expect, test } from "vitest";
import type { AkeylessTestGateway } from "../../../../demo/akeyless/index.ts";
import { apiOf, failing, failureOf, startGateway, useGateway } from "../../../support/akeyless.ts";

const gateway = await useGateway();
const get = { name: "k8s-conf" };

test("logs in once with access id and key, for any number of calls", async () => {
  const api = apiOf(gateway, { ...gateway.env, PATH: "login once" });
  gateway.expireSessions();
  await Promise.all([1, 2, 3].map(() => api.find("/auth-method-get", get)));
  expect(gateway.commands.filter((command) => command === "auth").length).toBeLessThanOrEqual(2);
  gateway.calls.length = 0;
  await api.find("/auth-method-get", get);
  expect(gateway.commands).toEqual(["auth-method-get"]);
});

test("logs in again when the session has ended, once", async () => {
  const api = apiOf(gateway);
  await api.find("/auth-method-get", get);
  gateway.expireSessions();
  gateway.calls.length = 0;
  expect(await api.find("/auth-method-get", get)).toBeUndefined();
  expect(gateway.commands).toEqual(["auth-method-get", "auth", "auth-method-get"]);
});

test("takes a session of the environment, and says so when it has ended", async () => {
  const AKEYLESS_AUTH_TOKEN = gateway.session();
  const api = apiOf(gateway, { AKEYLESS_AUTH_TOKEN });
  expect(await api.find("/auth-method-get", get)).toBeUndefined();
  expect(gateway.commands).toEqual(["auth-method-get"]);
  gateway.expireSessions();
  const { code, message } = await failureOf(api.find("/auth-method-get", get));
  expect(code).toBe("AKEYLESS_UNAUTHORIZED");
  expect(message).toMatch(/get a new AKEYLESS_AUTH_TOKEN/);
  expect(message).not.toContain(AKEYLESS_AUTH_TOKEN);
});

test("names the variables if there are no credentials, and sends no request", async () => {
  const { code, message } = await failureOf(apiOf(gateway, { AKEYLESS_ACCESS_ID: "p-1" }).find("/get-role", get));
  expect(code).toBe("AKEYLESS_CREDENTIALS_MISSING");
  expect(message).toMatch(/AKEYLESS_ACCESS_ID with AKEYLESS_ACCESS_KEY or AKEYLESS_AUTH_JWT.*AKEYLESS_AUTH_TOKEN/);
  expect(gateway.calls).toEqual([]);
});

test("a wrong access key has its own error, and is not shown", async () => {
  const AKEYLESS_ACCESS_KEY = "wrong-key-wrong-key-wrong-key";
  const api = apiOf(gateway, { ...gateway.env, AKEYLESS_ACCESS_KEY });
  const { code, message } = await failureOf(api.find("/get-role", get));
  expect(code).toBe("AKEYLESS_UNAUTHORIZED");
  expect(message).toMatch(/status 401.*invalid access key/);
  expect(message).not.toContain(AKEYLESS_ACCESS_KEY);
});

describe("logs in", () => {
  test.each<[string, (at: AkeylessTestGateway) => Record<string, string>, string | undefined]>([
    ["by an access key", (at) => at.env, "access_key"],
    ["by a JWT", (at) => ({ AKEYLESS_ACCESS_ID: at.accessId, AKEYLESS_AUTH_JWT: at.jwt }), "jwt"],
    [
      "by OIDC",
      (at) => ({ AKEYLESS_ACCESS_ID: at.accessId, AKEYLESS_AUTH_JWT: at.jwt, AKEYLESS_ACCESS_TYPE: "oidc" }),
      "oidc",
    ],
    ["by a session", (at) => ({ AKEYLESS_AUTH_TOKEN: at.session() }), undefined],
    ["by a session under its other name", (at) => ({ AKEYLESS_TOKEN: at.session() }), undefined],
    ["by a universal identity", (at) => ({ AKEYLESS_AUTH_UID: at.uidToken }), undefined],
    ["by a universal identity's token", (at) => ({ AKEYLESS_AUTH_TOKEN: at.uidToken }), undefined],
  ])("%s", async (_way, env, type) => {
    await using at = await startGateway();
    expect(await apiOf(at, env(at)).find("/auth-method-get", get)).toBeUndefined();
    const logins = at.calls.filter(({ command }) => command === "auth");
    expect(logins.map(({ body }) => body["access-type"])).toEqual(type === undefined ? [] : [type]);
  });

  test("never with the value of a credential in a message", async () => {
    const env = { AKEYLESS_ACCESS_ID: "p-1", AKEYLESS_AUTH_JWT: "a-header.a-payload.a-signature" };
    failing(gateway, "auth", { status: 401, body: JSON.stringify({ error: `invalid ${env.AKEYLESS_AUTH_JWT}` }) });
    const { message } = await failureOf(apiOf(gateway, env).find("/get-role", get));
    expect(message).toMatch(/invalid \[secret\]/);
  });

  test.each(["aws_iam", "azure_ad", "gcp"])("not by the cloud identity %s, but says the way around", async (type) => {
    const env = { AKEYLESS_ACCESS_ID: "p-1", AKEYLESS_ACCESS_TYPE: type };
    const { code, message } = await failureOf(apiOf(gateway, env).find("/get-role", get));
    expect(code).toBe("AKEYLESS_LOGIN_UNSUPPORTED");
    expect(message).toMatch(new RegExp(`cloud identity \\(${type}\\).*--access-type ${type} .*AKEYLESS_AUTH_TOKEN`));
    expect(gateway.calls).toEqual([]);
  });
});
