import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { systemClock } from "../../../../verifier/clock.ts";
import { keyLoader } from "../../../../verifier/keys/keySource.ts";
import { HttpsClient } from "../../../../verifier/net/httpsClient.ts";
import { LostConnections } from "../../../support/lostConnections.ts";
import { answer, closedPort, type Handler, localServer, testCa } from "../../../support/server.ts";
import { goodKey, issuer } from "../../../support/verifier/tokens.ts";
import { Folder } from "../../../support/verifier/verifier.ts";

const set = { keys: [goodKey.jwk] };

interface Options {
  readonly ca?: string | null;
  readonly token?: string;
  readonly url?: string;
  readonly issuer?: string | undefined;
}

/** Discovery at a server that answers as a test says; returns what was loaded, and what the server saw. */
async function discover(handler: Handler, options: Options = {}) {
  using folder = new Folder();
  await using server = await localServer(handler);
  const endpoint = {
    url: options.url ?? server.url,
    caFile: options.ca === null ? undefined : folder.write("ca", options.ca ?? testCa.certPem),
    tokenFile: options.token === undefined ? undefined : folder.write("token", options.token),
  };
  const client = new HttpsClient(endpoint, systemClock);
  const load = keyLoader(
    { kind: "discovery", endpoint },
    "issuer" in options ? options.issuer : issuer,
    client,
    systemClock,
  );
  try {
    return { loaded: await load(), requests: server.requests };
  } finally {
    client.close();
  }
}

/** Document and key set of one server. */
const standard =
  (document: (base: string) => unknown, keys: unknown = set): Handler =>
  (request, response) => {
    const base = `https://${request.headers.host}`;
    answer(response, 200, request.url === "/keys" ? keys : document(base));
  };
const good = (base: string) => ({ issuer, jwks_uri: `${base}/keys` });

test("the document names the key set, and both get the token", async () => {
  const { loaded, requests } = await discover(standard(good), { token: "own" });
  expect(loaded).toMatchObject({ issuer, freshForMs: 300_000, set: { keys: [{ kid: goodKey.kid }] } });
  expect(requests.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ["/.well-known/openid-configuration", "Bearer own"],
    ["/keys", "Bearer own"],
  ]);
});

test("a document of another issuer is refused: its keys could be anyone's", async () => {
  const other = (base: string) => ({ ...good(base), issuer: `${issuer}/` });
  await expect(discover(standard(other))).rejects.toMatchObject({ code: "DISCOVERY_ISSUER_MISMATCH" });
});

test.each(["https://user:secret@keys.example/keys", "http://keys.example/keys", "file:///etc/passwd", "keys", ""])(
  "a key set at %j is refused",
  async (jwksUri) => {
    const document = () => ({ issuer, jwks_uri: jwksUri });
    await expect(discover(standard(document))).rejects.toMatchObject({ code: expect.stringMatching(/^DISCOVERY_/) });
  },
);

test.each([null, [], {}, { issuer }, { issuer: 1, jwks_uri: "https://a" }])("%j is no document", async (document) => {
  await expect(discover(standard(() => document))).rejects.toMatchObject({ code: "DISCOVERY_MALFORMED" });
});

test("an answer that never ends is cut off", async () => {
  const endless: Handler = (_, response) => {
    const more = () => response.write("x".repeat(65_536), (error) => (error ? undefined : setImmediate(more)));
    response.writeHead(200);
    response.on("error", () => {});
    more();
  };
  await expect(discover(endless)).rejects.toMatchObject({ code: "NET_TOO_LARGE" });
});

test.each([301, 302, 307, 308])("a redirect (%i) is not followed", async (status) => {
  const redirect: Handler = (request, response) => {
    response.writeHead(status, { Location: `https://${request.headers.host}/elsewhere` });
    response.end();
  };
  await expect(discover(redirect)).rejects.toMatchObject({ code: "NET_STATUS", status });
});

test("the error for 403 names the missing role, that for 404 the kind of issuer", async () => {
  await expect(discover((_, response) => answer(response, 403, {}))).rejects.toThrow(
    /system:service-account-issuer-discovery/,
  );
  await expect(discover((_, response) => answer(response, 404, {}))).rejects.toThrow(/publishes no keys/);
});

describe("trust", () => {
  const otherCa = makeCertificate({ commonName: "other-ca" });
  test("a server of another CA gets no request and no token", async () => {
    await expect(discover(standard(good), { ca: otherCa.certPem, token: "own" })).rejects.toMatchObject({
      code: "NET_TLS",
    });
  });
  test("without a CA file only the public ones count", async () => {
    await expect(discover(standard(good), { ca: null })).rejects.toMatchObject({ code: "NET_TLS" });
  });
  test.each(["not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])(
    "a CA file with %j is refused",
    async (ca) => {
      await expect(discover(standard(good), { ca })).rejects.toMatchObject({ code: "CA_INVALID" });
    },
  );
  test("an empty CA file is refused: it must not mean the public CAs", async () => {
    await expect(discover(standard(good), { ca: "\n" })).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
  });
  test("a token with a line break is refused, and the error contains no part of it", async () => {
    const work = discover(standard(good), { token: "secret\r\nX-Evil: 1" });
    await expect(work).rejects.toMatchObject({ code: "TOKEN_FILE_INVALID" });
    await expect(work).rejects.not.toThrow("secret");
  });
  test("a server that is not there is unreachable", async () => {
    const url = `https://127.0.0.1:${await closedPort()}`;
    await expect(discover(standard(good), { url })).rejects.toMatchObject({ code: "NET_UNREACHABLE" });
  });
});

test("a CA that is replaced is used for the next connection", async () => {
  using folder = new Folder();
  await using server = await localServer((_, response) => answer(response, 200, {}));
  const caFile = folder.write("ca", makeCertificate({ commonName: "old-ca" }).certPem);
  let now = 0;
  const client = new HttpsClient(
    { url: server.url, caFile, tokenFile: undefined },
    { ...systemClock, monotonic: () => now },
  );
  const ask = () => client.send({ method: "GET", url: server.url, timeoutMs: 2_000, maxBytes: 100 });
  await expect(ask()).rejects.toMatchObject({ code: "NET_TLS" });
  folder.write("ca", testCa.certPem);
  now += 60_000;
  expect((await ask()).status).toBe(200);
  client.close();
});

test.each(["garbage", "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])(
  "a CA file and a token file that come to hold %j leave the last ones in use",
  async (broken) => {
    using folder = new Folder();
    await using server = await localServer((_, response) => answer(response, 200, {}));
    const caFile = folder.write("ca", testCa.certPem);
    const tokenFile = folder.write("token", "good");
    let now = 0;
    const client = new HttpsClient({ url: server.url, caFile, tokenFile }, { ...systemClock, monotonic: () => now });
    const ask = () => client.send({ method: "GET", url: server.url, timeoutMs: 2_000, maxBytes: 100 });
    expect((await ask()).status).toBe(200);
    folder.write("ca", broken);
    folder.write("token", `${broken}\n two lines`);
    now += 60_000;
    expect((await ask()).status).toBe(200);
    folder.write("token", "next");
    now += 60_000;
    expect((await ask()).status).toBe(200);
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([
      ...["Bearer good", "Bearer good"],
      "Bearer next",
    ]);
    client.close();
  },
);

test("a server that accepts a connection and does not answer costs at most the timeout", async () => {
  using folder = new Folder();
  await using server = await localServer(() => {});
  const client = new HttpsClient(
    { url: server.url, caFile: folder.write("ca", testCa.certPem), tokenFile: undefined },
    systemClock,
  );
  const started = performance.now();
  await expect(client.send({ method: "GET", url: server.url, timeoutMs: 200, maxBytes: 100 })).rejects.toMatchObject({
    code: "NET_TIMEOUT",
  });
  expect(performance.now() - started).toBeLessThan(2_000);
  client.close();
});

test("lost connections to a server cost one timeout, however many are idle", async () => {
  using folder = new Folder();
  const connections = new LostConnections(4);
  await using server = await localServer(connections.handler);
  const client = new HttpsClient(
    { url: server.url, caFile: folder.write("ca", testCa.certPem), tokenFile: undefined },
    systemClock,
  );
  const send = (timeoutMs: number) => client.send({ method: "GET", url: server.url, timeoutMs, maxBytes: 100 });
  await Promise.all(Array.from({ length: 4 }, () => send(10_000)));
  connections.lose();
  await expect(send(200)).rejects.toMatchObject({ code: "NET_TIMEOUT" });
  expect((await send(10_000)).status).toBe(200);
  client.close();
});
