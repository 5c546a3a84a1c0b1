import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createRelay, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { identityHeaders } from "../../verifier/http/answers.ts";
import type { Identity } from "../../verifier/token/identity.ts";
import { Nginx, noNginx } from "../support/nginx.ts";
import { program } from "../support/stack.ts";
import { closedPort } from "../unit/kube/server.ts";
import { VerifierProcess } from "../unit/verifier/process.ts";
import { ask, type Reply, until } from "../unit/verifier/support.ts";
import { audience, Cluster } from "./verifierFixture.ts";

const folder = join(program, "examples", "forward-auth", "nginx");
/** `X-K8sauth-Subject` and the others. */
const identityNames = identityHeaders({} as Identity).filter((_, at) => at % 2 === 0);

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let cluster: Cluster;
let verifier: VerifierProcess;
let relay: Relay;
let service: Server;
let nginx: Nginx;
/** What came through to the service. */
const seen: Seen[] = [];
let answerStatus = 200;

/** Stands between NGINX and the verifier, and counts connections. */
interface Relay extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
  /** Where connections go; 0 ends them at once. */
  target: number;
}

async function countingRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const handle = { port: 0, connections: 0, target };
  const server = createRelay((incoming) => {
    handle.connections += 1;
    if (handle.target === 0) return void incoming.destroy();
    const outgoing = connect(handle.target, "127.0.0.1");
    for (const [socket, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => other.destroy());
      socket.pipe(other);
    }
  });
  const port = await listening(server);
  return Object.assign(handle, {
    port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

function listening(server: { listen(port: number, host: string, then: () => void): unknown; address(): unknown }) {
  return new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

/** The example's upstreams with the addresses of this machine in place of the cluster's. */
function upstreams(verifierPort: number, servicePort: number): string {
  return readFileSync(join(folder, "upstreams.conf"), "utf8")
    .replace("verifier.k8sauth-verifier.svc:8080", `127.0.0.1:${verifierPort}`)
    .replace("orders.shop.svc:8080", `127.0.0.1:${servicePort}`);
}

async function start(verifierPort: number): Promise<Nginx> {
  const port = await closedPort();
  const servicePort = (service.address() as AddressInfo).port;
  const includes = {
    "upstreams.conf": upstreams(verifierPort, servicePort),
    "listen.conf": `listen 127.0.0.1:${port};`,
  };
  return Nginx.start({ config: join(folder, "nginx.conf"), includes, port });
}

beforeAll(async () => {
  cluster = await Cluster.make(inject("kubeconfig"));
  await cluster.account("caller");
  await cluster.account("stranger");
  verifier = await VerifierProcess.start(
    cluster.folder,
    cluster.settings({ allow: [`${cluster.namespace}/caller`], reviewCacheSeconds: 1 }),
  );
  relay = await countingRelay(verifier.port);
  service = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = incoming;
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
    outgoing.writeHead(answerStatus, { "X-Service": "orders" });
    outgoing.end("an order");
  });
  await listening(service);
  nginx = await start(relay.port);
});
afterAll(async () => {
  await nginx?.[Symbol.asyncDispose]();
  service?.closeAllConnections();
  service?.close();
  await relay?.[Symbol.asyncDispose]();
  await verifier?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  seen.length = 0;
  answerStatus = 200;
  relay.target = verifier.port;
});

const call = (token?: string, headers: Record<string, string> = {}, method = "GET", path = "/orders?id=1") =>
  ask(nginx.port, token, headers, method, path);

/** A refusal says nothing of the service, and nothing reaches it. */
function expectRefused(reply: Reply, status: number): void {
  expect(reply.status).toBe(status);
  expect(reply.headers).not.toHaveProperty("x-service");
  expect(seen).toEqual([]);
}

describe.skipIf(noNginx)("NGINX with the example's configuration", () => {
  test("lets a pod's token through with who it is, and keeps the token from the service", async () => {
    const pod = await cluster.pod("caller");
    const token = await cluster.token("caller", audience, { kind: "Pod", name: pod });
    const { status, headers, body } = await call(token);
    expect({ status, body, service: headers["x-service"] }).toEqual({
      status: 200,
      body: "an order",
      service: "orders",
    });
    expect(seen).toHaveLength(1);
    const [{ url, headers: given } = { url: "", headers: {} }] = seen;
    expect(url).toBe("/orders?id=1");
    const uid = expect.stringMatching(/^[0-9a-f-]{36}$/);
    expect(given).toMatchObject({
      "x-k8sauth-subject": `system:serviceaccount:${cluster.namespace}:caller`,
      "x-k8sauth-issuer": expect.stringContaining("https://"),
      "x-k8sauth-audience": audience,
      "x-k8sauth-namespace": cluster.namespace,
      "x-k8sauth-service-account-name": "caller",
      "x-k8sauth-service-account-uid": uid,
      "x-k8sauth-pod-name": pod,
      "x-k8sauth-pod-uid": uid,
    });
    expect(given).not.toHaveProperty("authorization");
  });

  test("replaces or strips what a caller says of itself, in whatever spelling", async () => {
    const token = await cluster.token("caller");
    const forged = identityNames.flatMap((name) => [name, name.toUpperCase(), name.replaceAll("-", "_")]);
    expect((await call(token, Object.fromEntries(forged.map((name) => [name, "forged"])))).status).toBe(200);
    expect(JSON.stringify(seen)).not.toContain("forged");
    expect(seen[0]?.headers).toMatchObject({ "x-k8sauth-service-account-name": "caller" });
    // A token that is bound to no pod and no Secret has nothing to put in the place of what was sent.
    for (const name of ["x-k8sauth-pod-name", "x-k8sauth-pod-uid", "x-k8sauth-secret-name"])
      expect(seen[0]?.headers[name] ?? "").toBe("");
  });

  test("relays the verifier's challenge with 401, for no token, a bad one and one for others", async () => {
    const none = await call();
    expectRefused(none, 401);
    expect(none.headers["www-authenticate"]).toBe('Bearer realm="kubernetes"');
    const token = await cluster.token("caller");
    for (const bad of [`${token.slice(0, -8)}AAAAAAAA`, "x", await cluster.token("caller", "another-audience")]) {
      const reply = await call(bad, { "X-K8sauth-Subject": "system:serviceaccount:kube-system:admin" });
      expectRefused(reply, 401);
      expect(reply.headers["www-authenticate"]).toContain('error="invalid_token"');
    }
  });

  test("answers 403 to a caller whom no rule allows", async () => {
    expectRefused(await call(await cluster.token("stranger")), 403);
  });

  test("refuses an account that is gone", async () => {
    await cluster.account("caller-2");
    await using open = await VerifierProcess.start(cluster.folder, cluster.settings({ reviewCacheSeconds: 1 }));
    relay.target = open.port;
    await using own = await start(relay.port);
    const token = await cluster.token("caller-2");
    expect((await ask(own.port, token)).status).toBe(200);
    await cluster.remove("ServiceAccount", "caller-2");
    await until(async () => (await ask(own.port, token)).status === 401, "it is refused", 12_000);
  });

  test.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "%s is decided like any other method, and reaches the service as it is",
    async (method) => {
      expectRefused(await call(undefined, {}, method), 401);
      expect((await call(await cluster.token("caller"), {}, method, "/a%20b/../c?d=%2F")).status).toBe(200);
      expect(seen).toMatchObject([{ method, url: "/a%20b/../c?d=%2F" }]);
    },
  );

  test("sends a body to the service and not to the verifier, and none of a refused one", async () => {
    const body = "x".repeat(200_000);
    const post = (token: string) =>
      fetch(`http://127.0.0.1:${nginx.port}/`, { method: "POST", body, headers: { authorization: `Bearer ${token}` } });
    expect((await post("x")).status).toBe(401);
    expect(seen).toEqual([]);
    expect((await post(await cluster.token("caller"))).status).toBe(200);
    expect(seen[0]?.body.length).toBe(body.length);
  });

  test("refuses two Authorization headers, and hides that it asks a verifier", async () => {
    const good = await cluster.token("caller");
    const text = await raw(
      `GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${good}\r\nAuthorization: Bearer x\r\nConnection: close\r\n\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 40[01] /);
    expect(seen).toEqual([]);
    expect((await call(good, {}, "GET", "/k8sauth-verifier")).status).toBe(404);
  });

  test("passes an error of the service's own on as it is", async () => {
    answerStatus = 500;
    const { status, headers } = await call(await cluster.token("caller"));
    expect({ status, service: headers["x-service"] }).toEqual({ status: 500, service: "orders" });
  });

  test("asks over connections that stay open", async () => {
    const token = await cluster.token("caller");
    const before = relay.connections;
    for (let at = 0; at < 50; at++) expect((await call(token)).status).toBe(200);
    expect(relay.connections - before).toBeLessThanOrEqual(1);
  });
});

describe.skipIf(noNginx)("while the verifier cannot tell", () => {
  test("it passes its 503 on as 503, with its Retry-After", async () => {
    const settings = cluster.settings({ mode: "tokenreview", apiServer: `https://127.0.0.1:${await closedPort()}` });
    await using blind = await VerifierProcess.start(cluster.folder, settings, false);
    await using own = await start(blind.port);
    const reply = await ask(own.port, await cluster.token("caller"));
    expectRefused(reply, 503);
    expect(reply.headers["retry-after"]).toBe("1");
  });

  test("a verifier that is away is 503 as well, and never an open door; it works again once there is one", async () => {
    const token = await cluster.token("caller");
    const port = await closedPort();
    await using own = await start(port);
    const reply = await ask(own.port, token);
    expectRefused(reply, 503);
    expect(reply.headers["retry-after"]).toBe("1");
    const settings = cluster.settings({ listen: `127.0.0.1:${port}` });
    const first = await VerifierProcess.start(cluster.folder, settings);
    expect((await ask(own.port, token)).status).toBe(200);
    await first[Symbol.asyncDispose]();
    seen.length = 0;
    expectRefused(await ask(own.port, token), 503);
    await using _second = await VerifierProcess.start(cluster.folder, settings);
    expect((await ask(own.port, token)).status).toBe(200);
  });

  test("one that ends the connection without an answer is 503", async () => {
    relay.target = 0;
    await using own = await start(relay.port);
    expectRefused(await ask(own.port, await cluster.token("caller")), 503);
  });
});

function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(nginx.port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(text));
  });
}
