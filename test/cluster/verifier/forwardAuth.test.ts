import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { aliasesOf, forgedBy, identityNames, identityOf } from "../../forwardAuth/headers.ts";
import { buildTimeout, type GatewayProcess, gateways, host, RecordingService, Relay } from "../../forwardAuth/index.ts";
import { nginx, startNginx } from "../../forwardAuth/nginx.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { VerifierProcess } from "../../support/verifier/process.ts";
import { ask, type Reply, until } from "../../support/verifier/verifier.ts";
import { audience, Cluster } from "./fixture.ts";

const publicPath = "/public";
const running = gateways.filter(({ missing }) => missing === undefined);
let cluster: Cluster;
let verifier: VerifierProcess;
let relay: Relay;
let service: RecordingService;
/** By the gateway's name. */
const started = new Map<string, GatewayProcess>();

beforeAll(async () => {
  cluster = await Cluster.make(workerKubeconfig());
  await cluster.account("caller");
  await cluster.account("stranger");
  verifier = await VerifierProcess.start(
    cluster.folder,
    cluster.settings({ allow: [`${cluster.namespace}/caller*`], reviewCacheSeconds: 1 }),
  );
  relay = await Relay.start(verifier.port);
  service = await RecordingService.start();
  const ports = { verifier: relay.port, service: service.port };
  for (const gateway of running) started.set(gateway.name, await gateway.start(ports, { publicPath }));
}, buildTimeout);
afterAll(async () => {
  for (const gateway of started.values()) await gateway[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await verifier?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});
beforeEach(() => service.reset());

/** A refusal says nothing of the service, and nothing reaches it. */
function expectRefused(reply: Reply, status: number): void {
  expect(reply.status).toBe(status);
  expect(reply.headers).not.toHaveProperty("x-service");
  expect(service.seen).toEqual([]);
}

describe.each(gateways)("$name with the example's configuration", ({ name, missing, alias, start }) => {
  const run = test.skipIf(missing !== undefined);
  const port = () => started.get(name)?.port ?? 0;
  const call = (token?: string, headers: Record<string, string> = {}, method = "GET", path = "/orders?id=1") =>
    ask(port(), token, { Host: host, ...headers }, method, path);

  run("lets a pod's token through with who it is, and keeps the token from the service", async () => {
    const pod = await cluster.pod("caller");
    const token = await cluster.token("caller", audience, { kind: "Pod", name: pod });
    const { status, headers, body } = await call(token);
    expect({ status, body, service: headers["x-service"] }).toEqual({
      status: 200,
      body: "an order",
      service: "orders",
    });
    expect(service.seen).toHaveLength(1);
    const [{ url, headers: given } = { url: "", headers: {} }] = service.seen;
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

  run("replaces or strips what a caller says of itself", async () => {
    const token = await cluster.token("caller");
    const forged = identityNames.flatMap((header) => [header, header.toUpperCase()]);
    expect((await call(token, forgedBy(forged))).status).toBe(200);
    expect(JSON.stringify(service.seen)).not.toContain("forged");
    expect(service.seen[0]?.headers).toMatchObject({ "x-k8sauth-service-account-name": "caller" });
    // A token that is bound to no pod and no Secret has nothing to put in the place of what was sent.
    for (const header of ["x-k8sauth-pod-name", "x-k8sauth-pod-uid", "x-k8sauth-secret-name"])
      expect(service.seen[0]?.headers[header] ?? "").toBe("");
  });

  run("lets no header through that CGI, WSGI and PHP read as an identity header", async () => {
    const token = await cluster.token("caller");
    for (const header of identityNames.flatMap(aliasesOf)) {
      service.reset();
      const reply = await call(token, forgedBy([header]));
      if (alias === "refused") expectRefused(reply, 400);
      else {
        expect(reply.status).toBe(200);
        expect(JSON.stringify(service.seen)).not.toContain("forged");
      }
    }
  });

  run("lets none through either where the surrounding configuration takes such names", async () => {
    await using lenient = await start({ verifier: relay.port, service: service.port }, { lenient: true });
    const token = await cluster.token("caller");
    for (const header of identityNames.flatMap(aliasesOf)) {
      service.reset();
      expect((await ask(lenient.port, token, { Host: host, ...forgedBy([header]) })).status).toBe(200);
      expect(JSON.stringify(service.seen)).not.toContain("forged");
    }
    const names = Object.keys(service.seen[0]?.headers ?? {});
    const variables = names.map((header) => header.toUpperCase().replace(/[^A-Z0-9]/g, "_"));
    expect(variables).toHaveLength(new Set(variables).size);
    expect(variables).toContain("X_K8SAUTH_SUBJECT");
  });

  run("strips identity headers where the verifier is not asked", async () => {
    expectRefused(await call(undefined), 401);
    expect((await call(undefined, forgedBy(identityNames), "GET", publicPath)).status).toBe(200);
    expect(service.seen).toHaveLength(1);
    expect(identityOf(service.seen[0]?.headers ?? {})).toEqual([]);
  });

  run("keeps identity headers that a caller wants removed at the next hop", async () => {
    const token = await cluster.token("caller");
    for (const separator of [", ", "\r\nConnection: "]) {
      service.reset();
      const connection = ["close", ...identityNames].join(separator);
      const text = await raw(
        port(),
        `GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nConnection: ${connection}\r\n\r\n`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(service.seen[0]?.headers).toMatchObject({
        "x-k8sauth-subject": `system:serviceaccount:${cluster.namespace}:caller`,
        "x-k8sauth-namespace": cluster.namespace,
        "x-k8sauth-service-account-name": "caller",
      });
    }
  });

  run("relays the verifier's challenge with 401, for no token, a bad one and one for others", async () => {
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

  run("answers 403 to a caller whom no rule allows", async () => {
    expectRefused(await call(await cluster.token("stranger")), 403);
  });

  run.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "%s is decided like any other method, and reaches the service as it is",
    async (method) => {
      expectRefused(await call(undefined, {}, method), 401);
      expect((await call(await cluster.token("caller"), {}, method, "/a%20b/c?d=%2F")).status).toBe(200);
      expect(service.seen).toMatchObject([{ method, url: "/a%20b/c?d=%2F" }]);
    },
  );

  run("decides about a request to change the protocol like about any other", async () => {
    const upgrade = (authorization: string) =>
      raw(
        port(),
        `GET /orders HTTP/1.1\r\nHost: ${host}\r\n${authorization}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`,
      );
    expect(await upgrade("")).toMatch(/^HTTP\/1\.1 401 /);
    expect(service.seen).toEqual([]);
    expect(await upgrade(`Authorization: Bearer ${await cluster.token("caller")}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(service.seen).toMatchObject([{ url: "/orders", headers: { "x-k8sauth-service-account-name": "caller" } }]);
  });

  run("sends a body to the service, and none of a refused one", async () => {
    const body = "x".repeat(200_000);
    const post = (token: string) =>
      raw(
        port(),
        `POST / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    expect(await post("x")).toMatch(/^HTTP\/1\.1 401 /);
    expect(service.seen).toEqual([]);
    expect(await post(await cluster.token("caller"))).toMatch(/^HTTP\/1\.1 200 /);
    expect(service.seen[0]?.body.length).toBe(body.length);
  });

  run("refuses two Authorization headers", async () => {
    const good = await cluster.token("caller");
    for (const [first, second] of [
      [good, "x"],
      ["x", good],
      [good, good],
    ]) {
      const headers = `Authorization: Bearer ${first}\r\nAuthorization: Bearer ${second}\r\nConnection: close`;
      expect(await raw(port(), `GET / HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 40[01] /);
    }
    expect(service.seen).toEqual([]);
  });

  run("passes an error of the service's own on as it is", async () => {
    service.status = 500;
    const { status, headers } = await call(await cluster.token("caller"));
    expect({ status, service: headers["x-service"] }).toEqual({ status: 500, service: "orders" });
  });

  run("asks over connections that stay open", async () => {
    const token = await cluster.token("caller");
    const before = relay.connections;
    for (let at = 0; at < 50; at++) expect((await call(token)).status).toBe(200);
    expect(relay.connections - before).toBeLessThanOrEqual(1);
  });
});

test("every gateway refuses an account that is gone", async () => {
  await cluster.account("caller-2");
  const token = await cluster.token("caller-2");
  const ports = [...started.values()].map(({ port }) => port);
  const statuses = () => Promise.all(ports.map(async (port) => (await ask(port, token, { Host: host })).status));
  expect(await statuses()).toEqual(ports.map(() => 200));
  await cluster.remove("ServiceAccount", "caller-2");
  await until(async () => (await statuses()).every((status) => status === 401), "it is refused", 12_000);
});

describe.skipIf(nginx.missing !== undefined)("NGINX", () => {
  test("asks the verifier at locations beside the example's, and hides that it does", async () => {
    const server = "location = /more { proxy_pass http://service; }";
    await using own = await startNginx({ verifier: relay.port, service: service.port }, { server });
    const token = await cluster.token("caller");
    expectRefused(await ask(own.port, undefined, {}, "GET", "/more"), 401);
    expect((await ask(own.port, token, {}, "GET", "/more")).status).toBe(200);
    expect(service.seen[0]?.headers).toMatchObject({ "x-k8sauth-service-account-name": "caller" });
    expect((await ask(own.port, token, {}, "GET", "/k8sauth-verifier")).status).toBe(404);
  });
});

function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
    });
    // A server that refuses a body may reset the connection once it has answered.
    socket.once("error", (error) => (text === "" ? reject(error) : resolve(text)));
    socket.once("close", () => resolve(text));
  });
}
