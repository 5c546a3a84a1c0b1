/** Questions of gateways with the examples' configurations, and the verifier's decisions. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { forgedBy, identityNames, identityOf } from "../../forwardAuth/headers.ts";
import { buildTimeout, type GatewayProcess, gateways, host, RecordingService } from "../../forwardAuth/index.ts";
import { mint } from "../../support/verifier/tokens.ts";
import { ask, Folder, keySettings, type Verifier, verifier } from "../../support/verifier/verifier.ts";

const folder = new Folder();
let service: RecordingService;

beforeAll(async () => {
  service = await RecordingService.start();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Stands between a gateway and the verifier, and has each question: its headers, and its path as `:path`. */
async function spyOn(port: number, asked: IncomingMessage["headers"][]): Promise<Server> {
  const spy = createServer(async (request, response) => {
    asked.push({ ...request.headers, ":path": request.url });
    const reply = await ask(port, undefined, request.headers as Record<string, string>, request.method, request.url);
    response.writeHead(reply.status, reply.headers as Record<string, string>);
    response.end(request.method === "HEAD" ? undefined : reply.body);
  });
  await new Promise<void>((resolve) => spy.listen(0, "127.0.0.1", resolve));
  return spy;
}

describe.each(gateways)("$name", (product) => {
  const run = test.skipIf(product.missing !== undefined);
  const asked: IncomingMessage["headers"][] = [];
  let one: Verifier;
  let spy: Server;
  let gateway: GatewayProcess;
  const call = (token?: string, method = "GET", path = "/orders/1", headers: Record<string, string> = {}) =>
    ask(gateway.port, token, { Host: host, ...headers }, method, path);

  beforeAll(async () => {
    if (product.missing !== undefined) return;
    const settings = {
      pathFrom: product.pathFrom,
      allow: ["team-a/web GET|HEAD /orders/*", "team-a/web POST /orders"],
      unchecked: ["GET|HEAD /healthz"],
    };
    one = await verifier(keySettings(folder, settings));
    spy = await spyOn(one.port, asked);
    gateway = await product.start({ verifier: (spy.address() as AddressInfo).port, service: service.port });
  }, buildTimeout);
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]();
    spy?.closeAllConnections();
    spy?.close();
    await one?.[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    service.reset();
    asked.length = 0;
  });

  run("asks with what the verifier reads, and no cookie, body or other header of the caller's", async () => {
    const more = { Cookie: "session=1", "X-Other": "1", "X-K8sauth-Subject": "forged", "User-Agent": "caller" };
    expect((await call(mint(), "POST", "/orders?id=1", more)).status).toBe(200);
    const methodHeader = product.pathFrom.replace("uri", "method");
    const [{ [product.pathFrom]: path, connection: _, ...question } = {}] = asked;
    expect(asked).toHaveLength(1);
    expect(path).toBe(product.bounded ? "/orders" : "/orders?id=1");
    expect(question).toEqual({
      authorization: `Bearer ${mint()}`,
      [methodHeader]: "POST",
      ...product.question((spy.address() as AddressInfo).port),
    });
    expect(service.seen[0]?.headers).toMatchObject({ cookie: "session=1", "x-other": "1" });
  });

  run("lets a caller in for the methods and paths of its rules", async () => {
    const statuses = async (token: string | undefined, ...requests: [method: string, path: string][]) => {
      const found: number[] = [];
      for (const [method, path] of requests) found.push((await call(token, method, path)).status);
      return found;
    };
    const requests: [string, string][] = [
      ["GET", "/orders/1"],
      ["GET", "/orders/1?x=/../admin"],
      ["POST", "/orders"],
      ["DELETE", "/orders/1"],
      ["POST", "/orders/1"],
      ["GET", "/admin"],
    ];
    expect(await statuses(mint(), ...requests)).toEqual([200, 200, 200, 403, 403, 403]);
    expect(service.seen.map(({ method, url }) => [method, url])).toEqual(requests.slice(0, 3));
    expect(await statuses(undefined, ...requests)).toEqual(requests.map(() => 401));
    expect(service.seen).toHaveLength(3);
  });

  run("does not believe a caller who says what it asks for", async () => {
    const forged: Record<string, string> = {};
    for (const prefix of ["X-Forwarded", "X-Original"]) {
      forged[`${prefix}-Method`] = "GET";
      for (const path of ["Uri", "Url"]) forged[`${prefix}-${path}`] = "/healthz";
    }
    expect((await call(undefined, "GET", "/admin", forged)).status).toBe(401);
    expect((await call(mint(), "DELETE", "/admin", forged)).status).toBe(403);
    expect(service.seen).toEqual([]);
  });

  run("lets an unchecked request through with any token and without, and with no identity", async () => {
    for (const token of [undefined, "x", mint()]) {
      service.reset();
      expect((await call(token, "GET", "/healthz", forgedBy(identityNames))).status).toBe(200);
      expect(service.seen).toHaveLength(1);
      expect(identityOf(service.seen[0]?.headers ?? {})).toEqual([]);
      expect(service.seen[0]?.headers).not.toHaveProperty("authorization");
    }
    service.reset();
    for (const [method, path] of [
      ["POST", "/healthz"],
      ["GET", "/healthz/"],
    ] as const)
      expect((await call(undefined, method, path)).status).toBe(401);
    expect(service.seen).toEqual([]);
  });

  run.each([
    "/orders/../admin",
    "/orders/./1",
    "/orders//1",
    "//orders/1",
    "/orders/%2e%2e/admin",
    "/orders/..%2fadmin",
    "/orders/a%2Fb",
    "/orders/a%252e",
    "/orders/a;b",
    "/orders/a%3bb",
    "/healthz/../admin",
    "/healthz;/../admin",
    "/admin/../healthz",
    "/orders\\..\\admin",
    "/orders/a%00",
  ])("%s reaches the service only as the path that the verifier decided about", async (path) => {
    for (const token of [mint(), undefined]) {
      service.reset();
      asked.length = 0;
      const { status } = await call(token, "GET", path);
      if (status !== 200) {
        expect([400, 401, 403]).toContain(status);
        expect(service.seen).toEqual([]);
      } else {
        const allowed = token === undefined ? /^\/healthz$/ : /^\/(?:healthz|orders\/[^/\\;%]+)$/;
        expect(service.seen).toMatchObject([{ url: asked[0]?.[product.pathFrom] }]);
        expect(service.seen[0]?.url).toMatch(allowed);
      }
    }
  });

  const large: [what: string, headers: Record<string, string>, path: string, bounded: boolean][] = [
    ["cookie", { Cookie: "x".repeat(15_000) }, "/orders/1", true],
    ["query", {}, `/orders/1?${"x".repeat(15_000)}`, product.bounded],
  ];
  run.each(large)("a %s of 15 KB opens no door", async (_, headers, path, bounded) => {
    expect((await call(undefined, "GET", path, headers)).status).toBe(bounded ? 401 : 431);
    expect(service.seen).toEqual([]);
    expect((await call(mint(), "GET", path, headers)).status).toBe(bounded ? 200 : 431);
    expect(service.seen).toHaveLength(bounded ? 1 : 0);
  });

  run("a path of 15 KB matches no rule", async () => {
    const path = `/orders/${"x".repeat(15_000)}`;
    expect((await call(mint(), "GET", path)).status).toBe(product.bounded ? 403 : 431);
    expect(service.seen).toEqual([]);
  });

  run("a token that is too long is refused as such", async () => {
    for (const length of [8_192, 8_193, 8_300]) expect((await call("x".repeat(length))).status).toBe(401);
    expect([401, 431]).toContain((await call("x".repeat(15_000))).status);
    expect(service.seen).toEqual([]);
  });
});
