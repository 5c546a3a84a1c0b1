/** Rules for some requests alone, and requests that need no token: the gateway says what the caller asks for. */
import { connect } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { loadConfig } from "../../../../verifier/config/load.ts";
import { type PathSource, pathSources } from "../../../../verifier/rules/routes.ts";
import { audience, issuer, mint } from "../../../support/verifier/tokens.ts";
import { ask, Folder, keySettings, type Verifier, verifier } from "../../../support/verifier/verifier.ts";

const folder = new Folder();
afterAll(() => folder[Symbol.dispose]());

/** The question as a gateway puts it: the request that reaches the verifier. */
function question(source: PathSource, method: string, path: string): { method: string; path: string; headers: object } {
  switch (source) {
    case "request-line":
      return { method, path, headers: {} };
    case "x-original-uri":
      return { method: "HEAD", path: "/k8sauth", headers: { "X-Original-Method": method, "X-Original-URI": path } };
    case "x-original-url": {
      const url = `https://orders.example.com${path}`;
      return { method: "HEAD", path: "/", headers: { "X-Original-Method": method, "X-Original-URL": url } };
    }
    case "x-forwarded-uri":
      return { method: "GET", path: "/", headers: { "X-Forwarded-Method": method, "X-Forwarded-Uri": path } };
  }
}

const asking =
  (one: Verifier, source: PathSource) => async (token: string | undefined, method: string, path: string) => {
    const { headers, ...line } = question(source, method, path);
    return (await one.ask(token, headers as Record<string, string>, line.method, line.path)).status;
  };

const rules = { allow: ["team-a/web GET|HEAD /orders/*", "team-a/web POST /orders"], unchecked: ["GET|HEAD /healthz"] };

describe.each(pathSources)("with pathFrom %s", (pathFrom) => {
  test("a caller is accepted only for the requests of its rules, also if its token is cached", async () => {
    await using one = await verifier(keySettings(folder, { ...rules, pathFrom }));
    const status = asking(one, pathFrom);
    for (let again = 0; again < 2; again++) {
      expect(await status(mint(), "GET", "/orders/1")).toBe(200);
      expect(await status(mint(), "GET", "/orders/1?x=/../admin")).toBe(200);
      expect(await status(mint(), "DELETE", "/orders/1")).toBe(403);
      expect(await status(mint(), "GET", "/admin")).toBe(403);
      expect(await status(mint(), "POST", "/orders")).toBe(200);
      expect(await status(mint(), "POST", "/orders/1")).toBe(403);
      expect(await status(undefined, "GET", "/orders/1")).toBe(401);
    }
  });
  test.each([
    "/orders/../admin",
    "/orders/./1",
    "/orders//1",
    "/orders/%2e%2e/admin",
    "/orders/a%2Fb",
    "/orders/a%252e",
  ])("a path that servers read in different ways, %s, fits no rule", async (path) => {
    await using one = await verifier(keySettings(folder, { ...rules, pathFrom }));
    expect(await asking(one, pathFrom)(mint(), "GET", path)).toBe(403);
  });
  test("a request that needs no token is answered with empty identity headers, with any token and without", async () => {
    await using one = await verifier(keySettings(folder, { ...rules, pathFrom }));
    const status = asking(one, pathFrom);
    for (const token of [undefined, "x", mint()]) expect(await status(token, "GET", "/healthz")).toBe(200);
    expect(await status(undefined, "POST", "/healthz")).toBe(401);
    expect(await status(undefined, "GET", "/healthz/../orders/1")).toBe(401);
    expect(await status(undefined, "GET", "/healthz/")).toBe(401);
    const { headers, ...line } = question(pathFrom, "GET", "/healthz");
    const reply = await one.ask(mint(), { ...headers, "X-K8sauth-Subject": "forged" }, line.method, line.path);
    const identity = Object.entries(reply.headers).filter(([name]) => name.startsWith("x-k8sauth-"));
    expect(identity).toHaveLength(9);
    expect(new Set(identity.map(([, value]) => value))).toEqual(new Set([""]));
    const { body } = await ask(one.service.adminPort, undefined, {}, "GET", "/metrics");
    expect(body).toContain('k8sauth_verifier_decisions_total{status="200",reason="unchecked",issuer=""} 4');
  });
});

test("headers of another gateway are ignored, because a caller can send them", async () => {
  await using one = await verifier(keySettings(folder, { ...rules, pathFrom: "request-line" }));
  const forged = { "X-Original-Method": "GET", "X-Original-URI": "/healthz", "X-Forwarded-Uri": "/healthz" };
  expect((await one.ask(undefined, forged, "GET", "/orders/1")).status).toBe(401);
  expect((await one.ask(mint(), { ...forged, "X-Original-URI": "/orders/1" }, "GET", "/admin")).status).toBe(403);
});

test.each(["X-Original-URI: /healthz", "x-original-uri: /orders/1"])(
  "a question that is put twice, with %s once more, is none",
  async (second) => {
    await using one = await verifier(keySettings(folder, { ...rules, pathFrom: "x-original-uri" }));
    const lines = ["GET / HTTP/1.1", "Host: v", "X-Original-Method: GET", "X-Original-URI: /healthz", second];
    const text = await new Promise<string>((resolve) => {
      const socket = connect(one.port, "127.0.0.1", () => socket.write(`${lines.join("\r\n")}\r\n\r\n`));
      socket.once("data", (chunk) => {
        resolve(String(chunk));
        socket.destroy();
      });
    });
    expect(text).toMatch(/^HTTP\/1.1 401 /);
  },
);

test("without the headers of pathFrom, no rule with a route matches", async () => {
  await using one = await verifier(keySettings(folder, { ...rules, pathFrom: "x-forwarded-uri" }));
  expect((await one.ask(mint(), {}, "GET", "/orders/1")).status).toBe(403);
  expect((await one.ask(undefined, {}, "GET", "/healthz")).status).toBe(401);
});

test.each<[object, string]>([
  [{ allow: ["a/b /c"] }, "CONFIG_CONTRADICTION"],
  [{ unchecked: ["/c"] }, "CONFIG_CONTRADICTION"],
  [{ unchecked: ["healthz"], pathFrom: "request-line" }, "CONFIG_INVALID"],
  [{ pathFrom: "nginx" }, "CONFIG_INVALID"],
  [{ auditLog: "all", logLevel: "warn" }, "CONFIG_CONTRADICTION"],
])("%j is refused at the start: %s", (more, code) => {
  const settings = { mode: "jwt-pubkey", issuer, audience, publicKeyFile: "/keys", ...more };
  expect(() => loadConfig({ args: ["--config", "f"], env: {}, readFile: () => JSON.stringify(settings) })).toThrow(
    expect.objectContaining({ code }),
  );
});

describe("the audit log", () => {
  const accepted = ({ lines }: Verifier) => lines.filter(({ msg }) => msg === "accepted");
  test("has no line for accepted calls by default", async () => {
    await using one = await verifier(keySettings(folder));
    await one.ask(mint());
    expect(accepted(one)).toEqual([]);
  });
  test.each([
    ["verified", 1],
    ["all", 3],
  ])(
    "set to %s it has %i for three calls with one token, and says who called what, without query and token",
    async (auditLog, lines) => {
      await using one = await verifier(keySettings(folder, { auditLog, pathFrom: "x-forwarded-uri" }));
      const token = mint();
      const headers = { "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders/1?secret=1", "X-Request-Id": "r-1" };
      for (let at = 0; at < 3; at++) expect((await one.ask(token, headers)).status).toBe(200);
      expect(accepted(one)).toHaveLength(lines);
      expect(accepted(one)[0]).toMatchObject({
        level: "info",
        subject: "system:serviceaccount:team-a:web",
        iss: issuer,
        audience,
        podName: "web-0",
        jti: "5f1ad6b0-0000-4000-8000-000000000000",
        method: "GET",
        path: "/orders/1",
        requestId: "r-1",
        peer: "127.0.0.1",
      });
      const text = JSON.stringify(one.lines);
      for (const part of [...token.split("."), "secret"]) expect(text).not.toContain(part);
    },
  );
  test("has no accepted line for a refused call, and the refusal contains method and path", async () => {
    const settings = { auditLog: "all", pathFrom: "request-line", allow: ["team-a/web /orders"] };
    await using one = await verifier(keySettings(folder, settings));
    expect((await one.ask(mint(), {}, "GET", "/admin")).status).toBe(403);
    expect(accepted(one)).toEqual([]);
    const line = one.lines.find(({ msg }) => msg === "refused");
    expect(line).toMatchObject({ reason: "not_allowed", method: "GET", path: "/admin" });
  });
});
