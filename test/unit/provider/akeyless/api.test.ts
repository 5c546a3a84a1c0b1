import { expect, test } from "vitest";
import type { Fault } from "../../../../demo/akeyless/index.ts";
import { AkeylessApi } from "../../../../provider/akeyless/api/api.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { apiOf, contextFor, failing, failureOf, keyPair, tokenConfig, useGateway } from "../../../support/akeyless.ts";
import { closedPort } from "../../../support/server.ts";
import { httpProxy } from "../../kubernetes/proxies.ts";

const gateway = await useGateway();
const { signingKey } = keyPair();
const get = { name: "k8s-conf" };
const create = "gateway-create-k8s-auth-config";

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
  failing(gateway, create, fault);
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
  failing(gateway, create, fault);
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
  failing(gateway, "get-role", { status: 404, body: '{"message":"no Route matched"}' });
  expect((await failureOf(apiOf(gateway).find("/get-role", get))).code).toBe("AKEYLESS_NOT_JSON");
});

test("the first version of the API has another error than refused credentials", async () => {
  const { context } = contextFor({ ...gateway.env, PATH: "v1" });
  const api = new AkeylessApi({ url: `${gateway.url}/api/v1`, caPem: gateway.caPem }, context);
  expect((await failureOf(api.find("/get-role", get))).code).toBe("AKEYLESS_WRONG_API");
});

test("what a server repeats of a request's secrets does not get into the message", async () => {
  const config = tokenConfig(signingKey);
  const echo = JSON.stringify({ error: `cannot parse ${signingKey} and ${config["token-reviewer-jwt"]}` });
  failing(gateway, create, { status: 400, body: echo });
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
  failing(gateway, "auth-method-get", fault, 2);
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
  failing(gateway, create, fault);
  const error = await failureOf(apiOf(gateway).call(`/${create}`, tokenConfig(signingKey), "once"));
  expect(error.code).toBe(code);
  expect(gateway.commands.filter((command) => command === create)).toHaveLength(1);
});

test("gives up after a few attempts, with the last reason", async () => {
  failing(gateway, "get-role", { status: 429, body: '{"error":"slow down"}' });
  const error = await failureOf(apiOf(gateway, gateway.env, { attempts: 3 }).find("/get-role", get));
  expect(error).toMatchObject({ code: "AKEYLESS_BUSY", message: expect.stringContaining("slow down") });
  expect(gateway.commands.filter((command) => command === "get-role")).toHaveLength(3);
});

test("does not wait for ever, nor after a cancellation", async () => {
  failing(gateway, "get-role", "hang");
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
