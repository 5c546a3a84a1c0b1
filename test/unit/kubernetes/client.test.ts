import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { describe, expect, test } from "vitest";
import { KubeClient, KubeError, type KubeErrorCode } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { answer, closedPort, failure, type LocalServer, localServer, testCa } from "../../support/server.ts";

const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0aGUtcmVhbC1zZWNyZXQifQ.c2lnbmF0dXJl";

function clientOf(server: Pick<LocalServer, "url">, options = {}): KubeClient {
  return KubeClient.direct(
    { server: server.url, caPem: testCa.certPem, token },
    { retryMs: 1, timeoutMs: 3_000, ...options },
  );
}

async function failureOf(work: Promise<unknown>, code: KubeErrorCode): Promise<KubeError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KubeError);
  expect((error as KubeError).code).toBe(code);
  expect((error as KubeError).message).not.toContain("eyJ");
  return error as KubeError;
}

describe("requests", () => {
  test("go out with the token and come back parsed, over one connection", async () => {
    const ports = new Set<number | undefined>();
    await using server = await localServer((request, response) => {
      ports.add(request.socket.remotePort);
      answer(response, 200, { path: request.url });
    });
    using client = clientOf(server);
    for (const name of ["a", "b", "c"]) {
      expect(await client.get(`/api/v1/namespaces/${name}`)).toEqual({ path: `/api/v1/namespaces/${name}` });
    }
    expect(ports.size).toBe(1);
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${token}`);
  });

  test("apply is a patch with field manager; create and delete carry their options", async () => {
    await using server = await localServer((_request, response) => answer(response, 200, {}));
    using client = clientOf(server);
    await client.apply("/x/n", { a: 1 }, { fieldManager: "me", force: true, dryRun: true });
    await client.create("/x", {}, { fieldManager: "me" });
    await client.delete("/x/n", { uid: "1" });
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "PATCH /x/n?fieldManager=me&force=true&dryRun=All",
      "POST /x?fieldManager=me",
      "DELETE /x/n",
    ]);
    expect(server.requests[0]?.headers["content-type"]).toBe("application/apply-patch+yaml");
  });

  test("a server below a path, as Rancher has it", async () => {
    await using server = await localServer((request, response) => answer(response, 200, { path: request.url }));
    using client = clientOf({ url: `${server.url}/k8s/clusters/c-1/` });
    expect(await client.get("/version")).toEqual({ path: "/k8s/clusters/c-1/version" });
  });

  test("the server's clock is handed over", async () => {
    await using server = await localServer((_request, response) =>
      answer(response, 200, {}, { Date: "Sun, 01 Mar 2026 10:00:00 GMT" }),
    );
    using client = clientOf(server);
    expect((await client.exchange("GET", "/")).date?.toISOString()).toBe("2026-03-01T10:00:00.000Z");
  });
});

describe("what is tried again", () => {
  test.each([
    ["GET", 429, 3],
    ["GET", 500, 3],
    ["POST", 503, 3],
    ["POST", 429, 3],
    ["POST", 500, 1],
    ["PATCH", 502, 1],
    ["GET", 404, 1],
    ["GET", 409, 1],
  ])("%s with %d: %d attempts", async (method, status, attempts) => {
    await using server = await localServer((_request, response) => {
      if (server.requests.length < 3) failure(response, status, "X", "x");
      else answer(response, 200, { ok: true });
    });
    using client = clientOf(server);
    await client.request(method, "/x", { body: method === "GET" ? undefined : {} }).catch(() => undefined);
    expect(server.requests.length).toBe(attempts);
  });

  test("a reset is tried again for GET and for what changes nothing, and never for another POST", async () => {
    await using server = await localServer((request, response) => {
      if (server.requests.length === 1) request.socket.destroy();
      else answer(response, 200, { ok: true });
    });
    using client = clientOf(server);
    expect(await client.get("/x")).toEqual({ ok: true });
    server.requests.length = 0;
    await failureOf(client.create("/x", {}), "KUBE_RESET");
    expect(server.requests.length).toBe(1);
    server.requests.length = 0;
    expect(await client.create("/reviews", {}, { safe: true })).toEqual({ ok: true });
  });

  test("Retry-After is waited for, up to a limit", async () => {
    await using server = await localServer((_request, response) => {
      if (server.requests.length === 1) failure(response, 429, "TooManyRequests", "slow down", { "Retry-After": "1" });
      else answer(response, 200, { ok: true });
    });
    using client = clientOf(server);
    const started = performance.now();
    expect(await client.create("/x", {})).toEqual({ ok: true });
    expect(performance.now() - started).toBeGreaterThan(990);
    server.requests.length = 0;
    await failureOf(client.get("/x", { timeoutMs: 100 }), "KUBE_TOO_MANY_REQUESTS");
  });

  test("attempts end", async () => {
    await using server = await localServer((_request, response) => failure(response, 503, "ServiceUnavailable", "no"));
    using client = clientOf(server, { attempts: 4 });
    await failureOf(client.get("/x"), "KUBE_UNAVAILABLE");
    expect(server.requests.length).toBe(4);
  });

  test("a refused credential of an exec plugin is fetched anew once", async () => {
    await using server = await localServer((request, response) => {
      if (request.headers.authorization === "Bearer stale") failure(response, 401, "Unauthorized", "Unauthorized");
      else answer(response, 200, { ok: true });
    });
    let asked = 0;
    using client = new KubeClient({
      ...clientOf(server).connection,
      credentials: {
        refreshable: true,
        get: async (refresh) => {
          if (refresh) asked++;
          return { authorization: asked ? "Bearer fresh" : "Bearer stale" };
        },
      },
    });
    expect(await client.get("/x")).toEqual({ ok: true });
    expect(asked).toBe(1);
  });
});

describe("what the server refuses", () => {
  test.each<[number, string, KubeErrorCode]>([
    [400, "BadRequest", "KUBE_BAD_REQUEST"],
    [401, "Unauthorized", "KUBE_UNAUTHORIZED"],
    [403, "Forbidden", "KUBE_DENIED"],
    [404, "NotFound", "KUBE_NOT_FOUND"],
    [409, "AlreadyExists", "KUBE_ALREADY_EXISTS"],
    [409, "Conflict", "KUBE_CONFLICT"],
    [410, "Gone", "KUBE_GONE"],
    [422, "Invalid", "KUBE_INVALID"],
    [500, "InternalError", "KUBE_SERVER_ERROR"],
    [418, "Teapot", "KUBE_STATUS"],
  ])("%d %s is %s, with the server's words and without the token", async (status, reason, code) => {
    await using server = await localServer((_request, response) =>
      failure(response, status, reason, `the server says ${token}`),
    );
    using client = clientOf(server, { attempts: 1 });
    const error = await failureOf(client.get("/x"), code);
    expect(error).toMatchObject({ status, reason, serverMessage: "the server says [token]" });
  });

  test("find answers undefined for what is not there", async () => {
    await using server = await localServer((_request, response) => failure(response, 404, "NotFound", "no"));
    using client = clientOf(server);
    expect(await client.find("/x")).toBeUndefined();
    expect(await client.delete("/x", { ignoreNotFound: true })).toBeUndefined();
  });

  test("an expired client certificate is said with its date", async () => {
    const expired = makeCertificate({
      commonName: "old",
      issuer: testCa,
      notBeforeMs: -7_200_000,
      notAfterMs: -3_600_000,
    });
    await using server = await localServer((_request, response) =>
      failure(response, 401, "Unauthorized", "Unauthorized"),
    );
    using client = KubeClient.direct({ server: server.url, caPem: testCa.certPem, ...expired });
    const error = await failureOf(client.get("/version"), "KUBE_UNAUTHORIZED");
    expect(error.message).toMatch(/expired on \d{4}-/);
  });

  test.each([
    ["a page", "text/html", "<html>login</html>"],
    ["half an answer", "application/json", '{"a": '],
  ])("%s is not JSON, and is not quoted", async (_what, type, body) => {
    await using server = await localServer((_request, response) => {
      response.writeHead(200, { "Content-Type": type });
      response.end(body);
    });
    using client = clientOf(server);
    const error = await failureOf(client.get("/x"), "KUBE_NOT_JSON");
    expect(error.message).toContain(type);
    expect(error.message).not.toContain(body);
  });
});

describe("the way to the server", () => {
  test("a name that does not resolve", async () => {
    using client = clientOf({ url: "https://no-such-host.invalid" });
    await failureOf(client.get("/x"), "KUBE_UNREACHABLE_DNS");
  });

  test("a port where nothing listens", async () => {
    using client = clientOf({ url: `https://127.0.0.1:${await closedPort()}` });
    await failureOf(client.get("/x"), "KUBE_REFUSED");
  });

  test("a server that never answers", async () => {
    await using server = await localServer(() => {});
    using client = clientOf(server, { timeoutMs: 100 });
    const error = await failureOf(client.get("/x"), "KUBE_TIMEOUT");
    expect(error.message).toContain("no answer came");
  });

  test("requests that wait for a connection end in time too", async () => {
    await using server = await localServer(() => {});
    using client = clientOf(server, { timeoutMs: 200 });
    const started = performance.now();
    await Promise.all(Array.from({ length: 12 }, () => failureOf(client.get("/x"), "KUBE_TIMEOUT")));
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  test("a server that accepts and says nothing", async () => {
    const silent = createTcpServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    using client = clientOf({ url: `https://127.0.0.1:${(silent.address() as AddressInfo).port}` }, { timeoutMs: 100 });
    const error = await failureOf(client.get("/x"), "KUBE_TIMEOUT");
    expect(error.message).toContain("TLS handshake");
    silent.close();
  });

  test("a certificate of another CA", async () => {
    await using server = await localServer((_request, response) => answer(response, 200, {}));
    using client = KubeClient.direct({
      server: server.url,
      caPem: makeCertificate({ commonName: "other" }).certPem,
      token,
    });
    await failureOf(client.get("/x"), "KUBE_TLS_UNTRUSTED");
  });

  test("a certificate for another name, unless that name is the one asked for", async () => {
    const identity = makeCertificate({ commonName: "s", issuer: testCa, names: ["api.example.com"] });
    await using server = await localServer((_request, response) => answer(response, 200, {}), identity);
    using client = clientOf(server);
    expect((await failureOf(client.get("/x"), "KUBE_TLS_NAME")).message).toContain("api.example.com");
    using named = KubeClient.direct({ server: server.url, caPem: testCa.certPem, tlsServerName: "api.example.com" });
    expect(await named.get("/x")).toEqual({});
  });

  test("a server certificate that has expired", async () => {
    const identity = makeCertificate({ commonName: "s", issuer: testCa, names: ["127.0.0.1"], notAfterMs: -1_000 });
    await using server = await localServer((_request, response) => answer(response, 200, {}), identity);
    using client = clientOf(server);
    await failureOf(client.get("/x"), "KUBE_TLS_EXPIRED");
  });

  test("a server that speaks no TLS", async () => {
    const plain = createServer((_request, response) => response.end()).listen(0, "127.0.0.1");
    await once(plain, "listening");
    using client = clientOf({ url: `https://127.0.0.1:${(plain.address() as AddressInfo).port}` });
    await failureOf(client.get("/x"), "KUBE_TLS_PROTOCOL");
    plain.close();
  });

  test("cancelling ends a request and a wait between attempts", async () => {
    await using server = await localServer((_request, response) =>
      failure(response, 503, "X", "x", { "Retry-After": "60" }),
    );
    const abort = new AbortController();
    using client = clientOf(server, { signal: abort.signal, timeoutMs: 60_000 });
    const work = client.get("/x");
    while (server.requests.length === 0) await new Promise(setImmediate);
    abort.abort();
    await failureOf(work, "KUBE_CANCELLED");
  });
});
