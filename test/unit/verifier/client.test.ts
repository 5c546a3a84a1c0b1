import { once } from "node:events";
import { type AddressInfo, connect, createServer as createRelay } from "node:net";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { backoffMs, retryAfterMs, ServiceClient } from "../../../verifier/client/client.ts";
import { TokenFile } from "../../../verifier/client/tokenFile.ts";
import { LostConnections } from "../../support/lostConnections.ts";
import { closedPort, localServer, testCa } from "../../support/server.ts";
import { type Handler, service, text } from "../../support/verifier/clientService.ts";
import { Folder } from "../../support/verifier/verifier.ts";

describe("a call", () => {
  test("sends the token of the file, and returns status, headers and body", async () => {
    await using one = await service(text(200, "hello", { "X-K8sauth-Subject": "me" }));
    const answer = await one.client.call({ headers: { Accept: "application/json" } });
    expect(answer).toMatchObject({ status: 200, body: "hello", attempts: 1, headers: { "x-k8sauth-subject": "me" } });
    expect(one.seen).toEqual(["Bearer first"]);
  });
  test("reads the file again after half a minute", async () => {
    await using one = await service(text(200));
    await one.client.call();
    one.folder.write("token", "second");
    await one.client.call();
    one.later(30_000);
    await one.client.call();
    expect(one.seen).toEqual(["Bearer first", "Bearer first", "Bearer second"]);
  });
  test("reads it at once after 401, and tries again only if it holds another token", async () => {
    await using one = await service((request, response) =>
      text(request.headers.authorization === "Bearer second" ? 200 : 401)(request, response),
    );
    expect(await one.client.call()).toMatchObject({ status: 401, attempts: 1 });
    one.folder.write("token", "second");
    expect(await one.client.call()).toMatchObject({ status: 200, attempts: 2 });
    expect(one.seen).toEqual(["Bearer first", "Bearer first", "Bearer second"]);
  });
  test("keeps the previous token while the file cannot be read", async () => {
    await using one = await service(text(200));
    await one.client.call();
    one.folder.write("token", "\n");
    one.later(30_000);
    expect((await one.client.call()).status).toBe(200);
  });
  test("retries 503, and returns the next answer", async () => {
    let failures = 2;
    await using one = await service((request, response) => text(failures-- > 0 ? 503 : 200)(request, response));
    expect(await one.client.call()).toMatchObject({ status: 200, attempts: 3 });
  });
  test("returns the last answer after all attempts", async () => {
    await using one = await service(text(503));
    expect(await one.client.call()).toMatchObject({ status: 503, attempts: 4 });
    expect(one.seen).toHaveLength(4);
  });
  test("tries once more after a timeout, on a new connection, however many are idle", async () => {
    const connections = new LostConnections(4);
    await using one = await service(connections.handler, { timeoutMs: 1_000 });
    await Promise.all(Array.from({ length: 4 }, () => one.client.call()));
    connections.lose();
    expect(await one.client.call()).toMatchObject({ status: 200, attempts: 2 });
  });
  test.each([400, 401, 403, 404])("does not try %i again", async (status) => {
    await using one = await service(text(status));
    expect(await one.client.call()).toMatchObject({ status, attempts: 1 });
  });
  test("does not repeat a POST that may have been done", async () => {
    await using one = await service(text(500));
    expect(await one.client.call({ method: "POST", body: "x" })).toMatchObject({ status: 500, attempts: 1 });
    await using silent = await service((_, response) => response.destroy());
    await expect(silent.client.call({ method: "POST" })).rejects.toMatchObject({ code: "CLIENT_UNREACHABLE" });
    expect(silent.seen).toHaveLength(1);
  });
  test("uses one connection for many calls, because it reads whole bodies", async () => {
    await using one = await service(text(200, "x".repeat(300_000)), { maxBodyBytes: 10 });
    for (let at = 0; at < 5; at++) expect((await one.client.call()).body).toBe("x".repeat(10));
    expect(one.connections()).toBe(1);
  });
  test("times out, also in the middle of a body", async () => {
    const hanging: Handler = (_, response) => {
      response.writeHead(200, { "Content-Length": "10" });
      response.write("x");
    };
    await using one = await service(hanging, { timeoutMs: 50, attempts: 2 });
    await expect(one.client.call()).rejects.toMatchObject({ code: "CLIENT_TIMEOUT" });
    expect(one.seen).toHaveLength(2);
  });
  test("can be cancelled, in a call and in a pause", async () => {
    const stopped = new AbortController();
    await using one = await service(() => setTimeout(() => stopped.abort(), 10));
    await expect(one.client.call({ signal: stopped.signal })).rejects.toMatchObject({ code: "CLIENT_ABORTED" });
    const later = new AbortController();
    await using busy = await service((request, response) => {
      text(503, "", { "Retry-After": "5" })(request, response);
      setTimeout(() => later.abort(), 10);
    });
    await expect(busy.client.call({ signal: later.signal })).rejects.toMatchObject({ code: "CLIENT_ABORTED" });
  });
  test("a service that is not there is unreachable, by name and without the token", async () => {
    using folder = new Folder();
    const url = `http://127.0.0.1:${await closedPort()}`;
    const client = new ServiceClient({ url, tokenFile: folder.write("token", "secret"), firstPauseMs: 1 });
    await expect(client.call()).rejects.toThrow(/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\)/);
    await expect(client.call()).rejects.not.toThrow("secret");
  });
  test("https accepts a private CA", async () => {
    using folder = new Folder();
    await using server = await localServer((_, response) => response.end("ok"));
    const tokenFile = folder.write("token", "t");
    const trusting = new ServiceClient({ url: server.url, tokenFile, caFile: folder.write("ca", testCa.certPem) });
    expect((await trusting.call()).status).toBe(200);
    trusting.close();
    using strict = new ServiceClient({ url: server.url, tokenFile, attempts: 1 });
    await expect(strict.call()).rejects.toMatchObject({ code: "CLIENT_UNREACHABLE" });
    using broken = new ServiceClient({ url: server.url, tokenFile, caFile: folder.write("bad", "x") });
    await expect(broken.call()).rejects.toMatchObject({ code: "CLIENT_CA_FILE" });
  });
});

test("a CA that is replaced, as the service's certificate is, is read again", async () => {
  using folder = new Folder();
  const next = makeCertificate({ commonName: "next-ca" });
  const caFile = folder.write("ca", testCa.certPem);
  const identity = makeCertificate({ commonName: "service", issuer: next, names: ["127.0.0.1"] });
  await using before = await localServer((_, response) => text(200)(_, response));
  await using after = await localServer((_, response) => text(200)(_, response), identity);
  // One address for both: the service that comes after takes the place of the one before.
  let target = before.port;
  const relay = createRelay((incoming) => {
    const outgoing = connect(target, "127.0.0.1");
    incoming.on("error", () => outgoing.destroy()).pipe(outgoing);
    outgoing.on("error", () => incoming.destroy()).pipe(incoming);
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const url = `https://127.0.0.1:${(relay.address() as AddressInfo).port}`;
  using client = new ServiceClient({ url, caFile, tokenFile: folder.write("token", "t"), firstPauseMs: 1 });
  expect((await client.call()).attempts).toBe(1);
  target = after.port;
  await before[Symbol.asyncDispose]();
  await expect(client.call()).rejects.toMatchObject({ code: "CLIENT_UNREACHABLE" });
  folder.write("ca", next.certPem);
  expect((await client.call()).status).toBe(200);
  relay.close();
});

describe("the token file", () => {
  test.each(["\n", "a b", "a\nb", "\u0000"])("with %j holds no token", async (content) => {
    using folder = new Folder();
    await expect(new TokenFile(folder.write("t", content)).get()).rejects.toMatchObject({ code: "CLIENT_TOKEN_FILE" });
  });
  test("that is missing is named", async () => {
    await expect(new TokenFile("/not/there").get()).rejects.toThrow("/not/there");
  });
});

describe("pauses", () => {
  test("double, up to the limit, with full jitter", () => {
    expect([1, 2, 3, 10, 1000].map((attempt) => backoffMs(attempt, 200, 10_000, 1))).toEqual([
      200, 400, 800, 10_000, 10_000,
    ]);
    expect(backoffMs(3, 200, 10_000, 0.5)).toBe(400);
    expect(backoffMs(3, 200, 10_000, 0)).toBe(0);
  });
  test.each([
    [null, 0],
    ["3", 3_000],
    ["99999", 10_000],
    ["Thu, 01 Jan 1970 00:00:07 GMT", 7_000],
    ["Thu, 01 Jan 1960 00:00:00 GMT", 0],
    ["soon", 0],
    ["-1", 0],
  ])("Retry-After %j: %i ms", (value, expected) => {
    expect(retryAfterMs(value, 0, 10_000)).toBe(expected);
  });
});
