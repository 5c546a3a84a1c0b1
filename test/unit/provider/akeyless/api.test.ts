import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AkeylessTestGateway, type Call, type Fault } from "../../../../demo/akeyless/index.ts";
import { AkeylessApi } from "../../../../provider/akeyless/api/api.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { httpProxy } from "../../kubernetes/proxies.ts";
import { closedPort } from "../../kubernetes/server.ts";
import { apiOf, contextFor, failureOf, keyPair, tokenConfig } from "./fixture.ts";

let gateway: AkeylessTestGateway;
const { signingKey } = keyPair();

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
});
afterEach(() => {
  gateway.fault = () => undefined;
  gateway.calls.length = 0;
  gateway.configs.clear();
  gateway.permits = () => true;
  gateway.account.clear();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** Makes the first calls of a command go wrong. */
function failing(command: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  gateway.fault = (call: Call) => (call.command === command && left-- > 0 ? fault : undefined);
}

const create = "gateway-create-k8s-auth-config";
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

test.each<[string, Fault, string, RegExp]>([
  ["400", { status: 400, body: '{"error":"bad name"}' }, "AKEYLESS_INVALID", /status 400\): bad name/],
  ["403", { status: 403, body: '{"error":"no permission"}' }, "AKEYLESS_FORBIDDEN", /no permission.*k8s_auth/],
  ["404", { status: 404, body: '{"error":"no such"}' }, "AKEYLESS_NOT_FOUND", /status 404/],
  ["409", { status: 409, body: '{"error":"taken"}' }, "AKEYLESS_EXISTS", /status 409/],
  ["400 that says it exists", { status: 400, body: '{"error":"it already exists"}' }, "AKEYLESS_EXISTS", /status 400/],
  ["a redirect", { status: 302, body: "{}" }, "AKEYLESS_STATUS", /status 302/],
  ["a message of its own field", { status: 400, body: '{"message":"other"}' }, "AKEYLESS_INVALID", /other/],
  [
    "a public gateway",
    { status: 403, body: '{"error":"command is not available on public gateway"}' },
    "AKEYLESS_PUBLIC_GATEWAY",
    /your own gateway.*8000.*8081/,
  ],
  [
    "HTML",
    { status: 200, body: "<html>login</html>", contentType: "text/html; charset=utf-8" },
    "AKEYLESS_NOT_JSON",
    /18 characters of text\/html/,
  ],
  [
    "HTML of a refusal",
    { status: 403, body: "<html></html>", contentType: "text/html" },
    "AKEYLESS_NOT_JSON",
    /status 403.*text\/html/,
  ],
  ["nothing", { status: 200, body: "", contentType: "" }, "AKEYLESS_NOT_JSON", /an empty answer \(no content type\)/],
  ["nothing of a type", { status: 200, body: "" }, "AKEYLESS_NOT_JSON", /an empty answer \(application\/json\)/],
  ["a list", { status: 200, body: "[]" }, "AKEYLESS_NOT_JSON", /not a JSON object/],
  ["truncated JSON", { status: 200, body: '{"token-reviewer-jwt":"abc' }, "AKEYLESS_NOT_JSON", /26 characters/],
])("an answer that is %s is an error of its own kind, and not tried again", async (_what, fault, code, message) => {
  failing(create, fault);
  const error = await failureOf(apiOf(gateway).call(`/${create}`, tokenConfig(signingKey), "once"));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(gateway.commands.filter((command) => command === create)).toHaveLength(1);
});

/** An error in the words of the service. */
const said = (status: string, code: string, message: string) =>
  JSON.stringify({
    error: `failed to run: Desc: it failed. Status ${status}, Error: ${code}. Message: account id: acc-1, access id: p-1. ${message}`,
  });
const denied = said("401 Unauthorized", "UnauthorizedAccess", "unauthorized access for access id p-1");

test.each<[string, Fault, string, RegExp]>([
  ["AlreadyExists", { status: 409, body: said("409 Conflict", "AlreadyExists", "taken") }, "AKEYLESS_EXISTS", /taken/],
  [
    "AlreadyExists under another status",
    { status: 400, body: said("409 Conflict", "AlreadyExists", "taken") },
    "AKEYLESS_EXISTS",
    /taken/,
  ],
  [
    "InvalidParam",
    { status: 400, body: '{"error":"InvalidParam","message":"Missing required parameter - Name"}' },
    "AKEYLESS_INVALID",
    /InvalidParam: Missing required parameter - Name/,
  ],
  ["UnauthorizedAccess", { status: 401, body: denied }, "AKEYLESS_FORBIDDEN", /access permission k8s_auth/],
  [
    "UnauthorizedAccess of a session that expired",
    { status: 401, body: said("401 Unauthorized", "UnauthorizedAccess", "the token has expired") },
    "AKEYLESS_UNAUTHORIZED",
    /Check the credentials/,
  ],
  [
    "another port's",
    { status: 400, body: '{"error":"access-id or email must be provided"}' },
    "AKEYLESS_WRONG_API",
    /another port or another version.*8000\/api\/v2.*8081/,
  ],
  [
    "another version's",
    { status: 400, body: '{"error":"InvalidParam","message":"Missing required parameter - AccessId "}' },
    "AKEYLESS_WRONG_API",
    /8000\/api\/v2/,
  ],
  ["a proxy's", { status: 404, body: '{"message":"no Route matched"}' }, "AKEYLESS_NOT_JSON", /status 404/],
])("an error that is %s says what to do", async (_what, fault, code, message) => {
  failing(create, fault);
  const error = await failureOf(apiOf(gateway).call(`/${create}`, tokenConfig(signingKey), "once"));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test.each([
  ["auth-method-get", /auth-method-rule/],
  ["get-role", /role-rule/],
  ["assoc-role-am", /role-rule/],
  ["describe-item", /item-rule/],
  ["event-forwarder-get", /Event Forwarders/],
  ["gateway-get-k8s-auth-config", /k8s_auth/],
])("a caller that may not run %s learns what its role lacks, and does not log in again", async (command, remedy) => {
  const api = apiOf(gateway);
  await api.find("/auth-method-get", get);
  gateway.permits = () => false;
  gateway.calls.length = 0;
  const { code, message } = await failureOf(api.find(`/${command}`, get));
  expect(code).toBe("AKEYLESS_FORBIDDEN");
  expect(message).toMatch(remedy);
  expect(gateway.commands).toEqual([command]);
});

test("a proxy's 404 is not an object that is absent", async () => {
  failing("get-role", { status: 404, body: '{"message":"no Route matched"}' });
  expect((await failureOf(apiOf(gateway).find("/get-role", get))).code).toBe("AKEYLESS_NOT_JSON");
});

test("the first version of the API has another error than refused credentials", async () => {
  const { context } = contextFor({ ...gateway.env, PATH: "v1" });
  const api = new AkeylessApi({ url: `${gateway.url}/api/v1`, caPem: gateway.caPem }, context);
  expect((await failureOf(api.find("/get-role", get))).code).toBe("AKEYLESS_WRONG_API");
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
    await using at = await AkeylessTestGateway.start();
    expect(await apiOf(at, env(at)).find("/auth-method-get", get)).toBeUndefined();
    const logins = at.calls.filter(({ command }) => command === "auth");
    expect(logins.map(({ body }) => body["access-type"])).toEqual(type === undefined ? [] : [type]);
  });

  test("never with the value of a credential in a message", async () => {
    const env = { AKEYLESS_ACCESS_ID: "p-1", AKEYLESS_AUTH_JWT: "a-header.a-payload.a-signature" };
    failing("auth", { status: 401, body: JSON.stringify({ error: `invalid ${env.AKEYLESS_AUTH_JWT}` }) });
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

test("what a server repeats of a request's secrets does not get into the message", async () => {
  const config = tokenConfig(signingKey);
  const echo = JSON.stringify({ error: `cannot parse ${signingKey} and ${config["token-reviewer-jwt"]}` });
  failing(create, { status: 400, body: echo });
  const { message } = await failureOf(apiOf(gateway).call(`/${create}`, config, "once"));
  expect(message).toMatch(/cannot parse \[secret\] and \[secret\]/);
  expect(message).not.toContain(signingKey.slice(0, 40));
});

test.each<[string, Fault, "read" | "repeatable" | "once"]>([
  ["429 with Retry-After", { status: 429, body: '{"error":"slow down"}', retryAfter: 0.01 }, "once"],
  ["503", { status: 503, body: "down", contentType: "text/plain" }, "once"],
  ["500", { status: 500, body: '{"error":"boom"}' }, "repeatable"],
  ["502 of a proxy", { status: 502, body: "<html>", contentType: "text/html" }, "read"],
  ["a connection that breaks", "reset", "repeatable"],
  ["an answer that is lost", "lost", "read"],
])("tries again after %s where that is safe (%j, %s)", async (_what, fault, effect) => {
  failing("auth-method-get", fault, 2);
  gateway.account.commands["auth-method-create-k8s"]?.({ name: "k8s-conf" });
  const answer = await apiOf(gateway).call("/auth-method-get", get, effect, { auth_method_name: "string" });
  gateway.account.methods.clear();
  expect(answer.auth_method_name).toBe("k8s-conf");
});

test.each<[string, Fault, string]>([
  ["500", { status: 500, body: '{"error":"boom"}' }, "AKEYLESS_FAILED"],
  ["a broken connection", "reset", "AKEYLESS_RESET"],
  ["a lost answer", "lost", "AKEYLESS_RESET"],
])("a creation is not repeated after %s: its result is unknown", async (_what, fault, code) => {
  failing(create, fault);
  const error = await failureOf(apiOf(gateway).call(`/${create}`, tokenConfig(signingKey), "once"));
  expect(error.code).toBe(code);
  expect(gateway.commands.filter((command) => command === create)).toHaveLength(1);
});

test("gives up after a few attempts, with the last reason", async () => {
  failing("get-role", { status: 429, body: '{"error":"slow down"}' });
  const error = await failureOf(apiOf(gateway, gateway.env, { attempts: 3 }).find("/get-role", get));
  expect(error).toMatchObject({ code: "AKEYLESS_BUSY", message: expect.stringContaining("slow down") });
  expect(gateway.commands.filter((command) => command === "get-role")).toHaveLength(3);
});

test("does not wait for ever, nor after a cancellation", async () => {
  failing("get-role", "hang");
  const late = await failureOf(apiOf(gateway, gateway.env, { timeoutMs: 300 }).find("/get-role", get));
  expect(late.code).toBe("AKEYLESS_TIMEOUT");
  const cancel = new AbortController();
  const { context } = contextFor(gateway.env, cancel.signal);
  const api = new AkeylessApi({ url: gateway.gatewayApi, caPem: gateway.caPem }, context);
  const waiting = failureOf(api.find("/get-role", get));
  cancel.abort();
  expect((await waiting).code).toBe("CANCELLED");
});

test("distinguishes why the gateway cannot be reached", async () => {
  const { context } = contextFor(gateway.env);
  const to = (url: string, caPem?: string) =>
    failureOf(new AkeylessApi({ url, caPem }, context).find("/get-role", get));
  expect((await to(`https://127.0.0.1:${await closedPort()}`)).code).toBe("AKEYLESS_UNREACHABLE");
  expect(await to("https://gateway.invalid")).toMatchObject({
    code: "AKEYLESS_UNREACHABLE",
    message: expect.stringContaining("cannot be resolved"),
  });
  const untrusted = await to(gateway.gatewayApi);
  expect(untrusted).toMatchObject({ code: "AKEYLESS_TLS", message: expect.stringContaining("public CA") });
  const other = makeCertificate({ commonName: "other" }).certPem;
  expect(await to(gateway.gatewayApi, other)).toMatchObject({
    code: "AKEYLESS_TLS",
    message: expect.stringContaining("the given CA"),
  });
});

test("goes through the proxies of the environment, by Go's rules, and names a proxy that fails", async () => {
  const { port } = new URL(gateway.gatewayApi);
  await using open = await httpProxy(Number(port));
  await using closed = await httpProxy(Number(port), "403 Forbidden");
  // The certificate is for 127.0.0.1, which no proxy is asked for.
  const url = `https://gateway.invalid:${port}`;
  const through = (proxy: string, NO_PROXY = "") =>
    failureOf(
      new AkeylessApi(
        { url, caPem: gateway.caPem },
        contextFor({ ...gateway.env, HTTPS_PROXY: proxy, NO_PROXY }).context,
      ).find("/get-role", get),
    );
  expect((await through(`http://127.0.0.1:${open.port}`)).code).toBe("AKEYLESS_TLS");
  expect(open.tunnels).toEqual([`gateway.invalid:${port}`]);
  const refused = await through(`http://127.0.0.1:${closed.port}`);
  expect(refused).toMatchObject({ code: "AKEYLESS_UNREACHABLE", message: expect.stringContaining("proxy") });
  const direct = await through(`http://127.0.0.1:${open.port}`, ".invalid");
  expect(direct.message).toContain("cannot be resolved");
});

test("fields that it does not know do no harm", async () => {
  const config = tokenConfig(signingKey);
  await apiOf(gateway).call(`/${create}`, { ...config, "a-field-of-the-future": { any: 1 } }, "once");
  const live = await apiOf(gateway).find("/gateway-get-k8s-auth-config", get, { name: "string" });
  expect(live).toMatchObject({ name: "k8s-conf", a_field_of_the_future: ["new"] });
});
