import { METHODS } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mint } from "../../../support/verifier/tokens.ts";
import { Folder, keySettings, type Verifier, verifier } from "../../../support/verifier/verifier.ts";

const folder = new Folder();
const good = mint();
const stranger = mint({
  sub: "system:serviceaccount:team-b:web",
  "kubernetes.io": { namespace: "team-b", serviceaccount: { name: "web", uid: "u-1" } },
});
let one: Verifier;
beforeAll(async () => {
  one = await verifier(keySettings(folder, { allow: ["team-a/web"] }));
});
afterAll(async () => {
  await one?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Question {
  readonly method: string;
  readonly path: string;
  /** Of the caller's own request, and whatever it sent with it. */
  readonly more?: readonly string[];
}

/** The requests that gateways make of a caller's, as they are on the wire. */
const gateways: Readonly<Record<string, (token: string | undefined, question: Question) => string>> = {
  "NGINX auth_request": (token, { method, path, more = [] }) =>
    lines("HEAD /k8sauth-verifier HTTP/1.1", token, [
      "X-Original-Method: ".concat(method),
      `X-Original-URI: ${path}`,
      "X-Request-Id: 5f1ad6b0000040008000000000000000",
      "Host: verifier",
      ...more,
    ]),
  "ingress-nginx": (token, { method, path, more = [] }) =>
    lines("HEAD / HTTP/1.1", token, [
      "Host: verifier.k8sauth-verifier.svc.cluster.local",
      `X-Original-URL: https://orders.example.com${path}`,
      `X-Original-Method: ${method}`,
      "X-Sent-From: nginx-ingress-controller",
      "X-Real-IP: 203.0.113.9",
      "X-Forwarded-For: 203.0.113.9",
      `X-Auth-Request-Redirect: ${path}`,
      ...more,
    ]),
  "Traefik forwardAuth": (token, { method, path, more = [] }) =>
    lines("GET / HTTP/1.1", token, [
      "Host: verifier.k8sauth-verifier.svc:8080",
      "User-Agent: Go-http-client/1.1",
      `X-Forwarded-Method: ${method}`,
      "X-Forwarded-Proto: https",
      "X-Forwarded-Host: orders.example.com",
      `X-Forwarded-Uri: ${path}`,
      "X-Forwarded-For: 203.0.113.9",
      "Accept-Encoding: gzip",
      ...more,
    ]),
  "Traefik forwardAuth with preserveRequestMethod": (token, { method, path, more = [] }) =>
    lines(`${method} / HTTP/1.1`, token, [
      "Host: verifier.k8sauth-verifier.svc:8080",
      `X-Forwarded-Method: ${method}`,
      `X-Forwarded-Uri: ${path}`,
      ...more,
    ]),
  "Envoy ext_authz": (token, { method, path, more = [] }) =>
    lines(`${method} ${path} HTTP/1.1`, token, [
      "host: orders.example.com",
      "content-length: 0",
      "x-envoy-internal: true",
      "x-forwarded-for: 203.0.113.9",
      "x-envoy-expected-rq-timeout-ms: 5000",
      ...more,
    ]),
  "Gateway API ExternalAuth": (token, { method, path, more = [] }) =>
    lines(`${method} ${path} HTTP/1.1`, token, ["Host: orders.example.com", "Content-Length: 0", ...more]),
};

function lines(first: string, token: string | undefined, headers: readonly string[]): string {
  const authorization = token === undefined ? [] : [`Authorization: Bearer ${token}`];
  return `${[first, ...authorization, ...headers].join("\r\n")}\r\n\r\n`;
}

/** Sends requests over one connection, as gateways keep theirs, each after the answer to the one before. */
async function statuses(requests: readonly string[]): Promise<number[]> {
  const socket = connect(one.port, "127.0.0.1");
  const found: number[] = [];
  let rest = "";
  let wake = () => {};
  let closed = false;
  socket.on("data", (chunk) => {
    rest += chunk.toString("latin1");
    wake();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    closed = true;
    wake();
  });
  for (const request of requests) {
    rest = "";
    socket.write(request, "latin1");
    for (;;) {
      const status = finished(rest, request.startsWith("HEAD"));
      if (status !== undefined) {
        found.push(status);
        break;
      }
      if (closed) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  socket.destroy();
  return found;
}

/** The status of an answer once all of it is there. */
function finished(text: string, bodiless: boolean): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = bodiless ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
  return text.length >= head + 4 + length ? Number(text.slice(9, 12)) : undefined;
}

const paths = ["/", "/orders?id=1", "/a%20b/%2e%2e//c", "/metrics", "/readyz", `/${"long/".repeat(400)}`];

describe.each(Object.entries(gateways))("%s", (_, request) => {
  test("gets 200, 401 and 403 for every method that HTTP servers know, over one connection", async () => {
    // CONNECT asks for a tunnel: see below.
    const methods = METHODS.filter((method) => method !== "CONNECT");
    expect(methods.length).toBeGreaterThan(30);
    const questions = methods.flatMap((method) =>
      [good, undefined, stranger].map((token) => request(token, { method, path: "/orders?id=1" })),
    );
    expect(await statuses(questions)).toEqual(methods.flatMap(() => [200, 401, 403]));
  });

  test("gets the same answer for every path and for all other headers of the caller", async () => {
    const more = [
      "Cookie: session=1; other=2",
      "Content-Type: application/grpc",
      "X-K8sauth-Subject: system:serviceaccount:kube-system:admin",
      "TE: trailers",
      "Range: bytes=0-1",
      "If-None-Match: *",
      "Accept: text/html",
    ];
    const asked = paths.flatMap((path) =>
      [good, undefined, stranger].map((token) => request(token, { method: "POST", path, more })),
    );
    expect(await statuses(asked)).toEqual(paths.flatMap(() => [200, 401, 403]));
  });
});

test("a body that a gateway forwards is discarded, and the connection stays open", async () => {
  const post = (length: string, body: string) =>
    `${lines("POST /orders HTTP/1.1", good, ["Host: orders.example.com", length])}${body}`;
  const sized = post("Content-Length: 100000", "x".repeat(100_000));
  const chunked = post("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n");
  expect(await statuses([sized, chunked, sized, chunked])).toEqual([200, 200, 200, 200]);
});

test("a request with Expect: 100-continue is decided without its body, and closes the connection", async () => {
  const waits = (token: string | undefined, length: number) =>
    lines("POST /orders HTTP/1.1", token, ["Host: a", `Content-Length: ${length}`, "Expect: 100-continue"]);
  for (const length of [0, 100_000]) {
    // Whatever would come after it on the connection could be taken for the body.
    expect(await statuses([waits(good, length), waits(good, length)])).toEqual([200]);
    expect(await statuses([waits(undefined, length)])).toEqual([401]);
    expect(await statuses([waits(stranger, length)])).toEqual([403]);
  }
});

test("an unknown method is refused, with a token or without, and gateways treat that as a denial", async () => {
  for (const token of [good, undefined])
    expect(await statuses([gateways["Envoy ext_authz"]?.(token, { method: "FROBNICATE", path: "/" }) ?? ""])).toEqual([
      400,
    ]);
});

test("no tunnel is opened for CONNECT", async () => {
  for (const token of [good, undefined])
    expect(
      await statuses([lines("CONNECT orders.example.com:443 HTTP/1.1", token, ["Host: orders.example.com:443"])]),
    ).toEqual([]);
  expect((await one.ask(good)).status).toBe(200);
});
