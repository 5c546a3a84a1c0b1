import { connect } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { raw, statusLine } from "../../../support/verifier/rawRequest.ts";
import { mint } from "../../../support/verifier/tokens.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  Folder,
  keySettings,
  until,
  type Verifier,
  verifier,
} from "../../../support/verifier/verifier.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

/** Written once: tests that run at the same time read it. */
const keys = keySettings(folder);

/** With a key from a file. */
function keyed(more: object = {}): Promise<Verifier> {
  return verifier({ ...keys, ...more });
}

const stranger = () =>
  mint({
    sub: "system:serviceaccount:team-b:web",
    "kubernetes.io": { namespace: "team-b", serviceaccount: { name: "web", uid: "u-1" } },
  });
const get = (...headers: string[]) =>
  `${["GET / HTTP/1.1", "Host: verifier", ...headers, "Connection: close"].join("\r\n")}\r\n\r\n`;

describe("without a good token (RFC 6750 section 3)", () => {
  test("no token: a challenge without an error code", async () => {
    await using one = await keyed();
    const { status, headers, body } = await one.ask();
    expect({ status, challenge: headers["www-authenticate"] }).toEqual({
      status: 401,
      challenge: 'Bearer realm="kubernetes"',
    });
    expect(headers["cache-control"]).toBe("no-store");
    expect(body).toContain(headers["x-request-id"]);
  });
  test("another scheme is no token", async () => {
    await using one = await keyed();
    const { status, headers } = await one.ask(undefined, { Authorization: "Basic YTpi" });
    expect({ status, challenge: headers["www-authenticate"] }).toEqual({
      status: 401,
      challenge: 'Bearer realm="kubernetes"',
    });
  });
  test.each(["Bearer", "Bearer ", "bearer   "])("%j without a token is a malformed request", async (value) => {
    await using one = await keyed();
    const text = await raw(one.port, get(`Authorization: ${value}`));
    expect(statusLine(text)).toBe("HTTP/1.1 401 Unauthorized");
    expect(text).toContain('error="invalid_request"');
  });
  test("the scheme is case-insensitive, and any number of spaces can follow it", async () => {
    await using one = await keyed();
    for (const scheme of ["bearer ", "BEARER ", "Bearer   "]) {
      expect((await one.ask(undefined, { Authorization: scheme + mint() })).status).toBe(200);
    }
  });
  test("a refused token: invalid_token, also as JSON", async () => {
    await using one = await keyed();
    const { status, headers, body } = await one.ask(mint({ aud: "other" }), { Accept: "application/json" });
    expect(status).toBe(401);
    expect(headers["www-authenticate"]).toBe(
      'Bearer realm="kubernetes", error="invalid_token", error_description="The token is for another audience."',
    );
    expect(JSON.parse(body)).toEqual({
      error: "invalid_token",
      error_description: "The token is for another audience.",
      reason: "wrong_audience",
      request_id: headers["x-request-id"],
    });
  });
  test.each([
    ["of the token", "orders", 200],
    ["of another service", "payments", 401],
    ["twice", ["orders", "orders"], 401],
  ] as const)("X-K8sauth-Required-Audience %s", async (_what, required, status) => {
    await using one = await keyed({ audience: ["orders", "payments"] });
    const token = mint({ aud: ["orders"] });
    // The second answer comes from the cache.
    for (const _ of [1, 2]) {
      const answer = await one.ask(token, { "X-K8sauth-Required-Audience": required as never });
      expect(answer.status).toBe(status);
      if (status === 200) continue;
      expect(answer.headers["www-authenticate"]).toContain("The token is for another audience.");
      expect(answer.headers).not.toHaveProperty("x-k8sauth-subject");
    }
    expect((await one.ask(token)).status).toBe(200);
  });
  test("a caller whom no rule allows: 403, insufficient_scope", async () => {
    await using one = await keyed({ allow: ["other/*"] });
    const { status, headers } = await one.ask(mint());
    expect(status).toBe(403);
    expect(headers["www-authenticate"]).toMatch(
      /^Bearer realm="kubernetes", error="insufficient_scope", error_description=/,
    );
    expect(headers).not.toHaveProperty("x-k8sauth-subject");
  });
  test("while the API server is away: 503 with Retry-After and without a challenge", async () => {
    await using api = await apiServer();
    await using one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    api.outage = 500;
    const { status, headers } = await one.ask(mint());
    expect({ status, after: headers["retry-after"] }).toEqual({ status: 503, after: "1" });
    expect(headers).not.toHaveProperty("www-authenticate");
  });
});

describe("every method and path has the same meaning", () => {
  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])("%s", async (method) => {
    await using one = await keyed();
    for (const path of ["/", "/auth", "/a/b?c=d", "/%00%ff", "//x", "/metrics", "/readyz"]) {
      expect((await one.ask(mint(), {}, method, path)).status).toBe(200);
      expect((await one.ask(undefined, {}, method, path)).status).toBe(401);
    }
  });
  test("a body is not read, with or without Expect: 100-continue", async () => {
    await using one = await keyed();
    const bearer = `Authorization: Bearer ${mint()}`;
    const post = (...more: string[]) =>
      `${["POST /x HTTP/1.1", "Host: v", bearer, "Connection: close", ...more].join("\r\n")}\r\n\r\n`;
    expect(statusLine(await raw(one.port, `${post("Content-Length: 5")}hello`))).toBe("HTTP/1.1 200 OK");
    expect(statusLine(await raw(one.port, post("Content-Length: 0")))).toBe("HTTP/1.1 200 OK");
    const waiting = await raw(one.port, post("Content-Length: 5", "Expect: 100-continue"), (text) =>
      text.includes("serviceaccount:"),
    );
    expect(statusLine(waiting)).toBe("HTTP/1.1 200 OK");
  });
  test("an upgrade is answered like any other request", async () => {
    await using one = await keyed();
    const text = await raw(
      one.port,
      `GET /ws HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer ${mint()}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      (seen) => seen.includes("serviceaccount:"),
    );
    expect(statusLine(text)).toBe("HTTP/1.1 200 OK");
  });
});

describe("headers of callers", () => {
  test("identity headers of a client never come back", async () => {
    await using one = await keyed();
    const { headers } = await one.ask(mint(), { "X-K8sauth-Secret-Name": "evil", "X-K8sauth-Subject": "evil" });
    expect(headers).toMatchObject({
      "x-k8sauth-secret-name": "",
      "x-k8sauth-subject": "system:serviceaccount:team-a:web",
    });
  });
  test("a gateway's request id is kept, unless it contains harmful characters", async () => {
    await using one = await keyed();
    expect((await one.ask(undefined, { "X-Request-Id": "abc-123" })).headers["x-request-id"]).toBe("abc-123");
    expect((await one.ask(mint(), { "X-Request-Id": "abc-123" })).headers["x-request-id"]).toBe("abc-123");
    for (const id of ['a"b', "a b", "x".repeat(129)]) {
      expect((await one.ask(undefined, { "X-Request-Id": id })).headers["x-request-id"]).toMatch(/^[0-9a-f]{12}-\w+$/);
    }
  });
});

describe("requests made to do harm", () => {
  test("two Authorization headers are refused, in whatever order and case", async () => {
    await using one = await keyed();
    const good = `Bearer ${mint()}`;
    for (const [first, second] of [
      [good, good],
      [good, "Bearer x"],
      ["Basic eDp4", good],
    ]) {
      const text = await raw(one.port, get(`Authorization: ${first}`, `AUTHORIZATION: ${second}`));
      expect(statusLine(text)).toBe("HTTP/1.1 401 Unauthorized");
      expect(text).toContain('error="invalid_request"');
    }
  });
  test("two Host headers are refused, whatever their values, on both ports: RFC 9112 section 3.2", async () => {
    await using one = await keyed();
    const bearer = `Authorization: Bearer ${mint()}`;
    for (const port of [one.port, one.service.adminPort])
      for (const second of ["Host: verifier", "HOST: other", "host:"])
        expect(statusLine(await raw(port, get(second, bearer)))).toBe("HTTP/1.1 400 Bad Request");
    expect(statusLine(await raw(one.port, `GET / HTTP/1.0\r\n${bearer}\r\n\r\n`))).toBe("HTTP/1.1 200 OK");
  });
  test.each<[string, (one: Verifier) => Promise<string>]>([
    ["200", ({ port }) => raw(port, get(`Authorization: Bearer ${mint()}`))],
    ["200", ({ port }) => raw(port, get(`Authorization: Bearer ${mint()}`, "Accept: application/json"))],
    ["401", ({ port }) => raw(port, get())],
    ["403", ({ port }) => raw(port, get(`Authorization: Bearer ${stranger()}`))],
    ["400", ({ port }) => raw(port, "GET / HTTP/1.1\r\n\r\n")],
    ["400", ({ port }) => raw(port, "SSH-2.0-OpenSSH_9.2\r\n\r\n")],
    ["431", ({ port }) => raw(port, get(`X-Big: ${"x".repeat(12_500)}`))],
    ["404", ({ service }) => raw(service.adminPort, get())],
    ["400", ({ service }) => raw(service.adminPort, "GET / HTTP/1.1\r\n\r\n")],
    ["431", ({ service }) => raw(service.adminPort, get(`X-Big: ${"x".repeat(12_500)}`))],
  ])("no cache may keep an answer: %s", async (status, ask) => {
    await using one = await keyed({ allow: ["team-a/web"] });
    const text = await ask(one);
    expect(statusLine(text)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(text).toMatch(/^cache-control: no-store\r$/im);
  });
  test("invalid HTTP is not answered before an earlier request on the connection", async () => {
    await using api = await apiServer();
    let release = () => {};
    api.review = (review, response) => {
      release = () => void response.end(JSON.stringify({ kind: "TokenReview", status: acceptedStatus(review) }));
      return undefined;
    };
    await using one = await verifier(apiSettings(api, folder));
    const good = `GET / HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer ${mint({ jti: "held" })}\r\n\r\n`;
    expect(await raw(one.port, `${good}garbage\r\n\r\n`)).toBe("");
    release();
  });
  test.each([
    ["of more than 12 KiB", [`X-Big: ${"x".repeat(12_500)}`]],
    ["more than 100 of them", Array.from({ length: 100 }, (_, at) => `X-${at}: 1`)],
  ])("headers, %s, get 431", async (_, headers) => {
    await using one = await keyed();
    expect(statusLine(await raw(one.port, get(...headers)))).toMatch(/^HTTP\/1.1 431 /);
  });
  test("a token of 8 KiB and some headers still fit", async () => {
    await using one = await keyed();
    const text = await raw(one.port, get(`Authorization: Bearer ${"x".repeat(8_192)}`, `X-More: ${"y".repeat(3_900)}`));
    expect(statusLine(text)).toBe("HTTP/1.1 401 Unauthorized");
  });
  test.each([
    ["no Host", "GET / HTTP/1.1\r\n\r\n"],
    ["two lengths", "POST / HTTP/1.1\r\nHost: v\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    [
      "a length and chunks",
      "POST / HTTP/1.1\r\nHost: v\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["a blank before the colon", "GET / HTTP/1.1\r\nHost: v\r\nAuthorization : Bearer x\r\n\r\n"],
    ["a folded header", "GET / HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer\r\n x\r\n\r\n"],
    ["a NUL in a header", "GET / HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer a\u0000b\r\n\r\n"],
    ["no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ])("%s gets 400 and a closed connection", async (_, bytes) => {
    await using one = await keyed();
    expect(statusLine(await raw(one.port, bytes))).toBe("HTTP/1.1 400 Bad Request");
  });
  test("pipelined requests are answered in order, each for itself", async () => {
    await using one = await keyed();
    const good = `GET / HTTP/1.1\r\nHost: v\r\nAuthorization: Bearer ${mint({ jti: "fresh" })}\r\n\r\n`;
    const bad = "GET / HTTP/1.1\r\nHost: v\r\n\r\n";
    const count = 50;
    const text = await raw(one.port, (good + bad).repeat(count) + get());
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => found[1]);
    expect(statuses).toEqual([...Array.from({ length: count }, () => ["200", "401"]).flat(), "401"]);
  });
  test("connections above the limit are closed at once", async () => {
    await using one = await keyed({ maxConnections: 2, maxConnectionsPerAddress: 2 });
    const open = [connect(one.port, "127.0.0.1"), connect(one.port, "127.0.0.1")];
    await until(() => open.every((socket) => socket.readyState === "open"), "two are open");
    expect(await raw(one.port, "GET / HTTP/1.1\r\nHost: v\r\n\r\n")).toBe("");
    for (const socket of open) socket.destroy();
    await until(async () => (await one.ask(mint()).catch(() => undefined))?.status === 200, "there is room again");
  });
});
