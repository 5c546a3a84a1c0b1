/** Definition of an outage of the API server: `reviewOutage: local` accepts tokens without a review in an outage alone. */
import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { answer } from "../../../support/server.ts";
import { endsWithTest, hybrid } from "../../../support/verifier/hybrid.ts";
import { mint } from "../../../support/verifier/tokens.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  ask,
  Folder,
  until,
  type Verifier,
  verifier,
} from "../../../support/verifier/verifier.ts";

type Answer = (response: ServerResponse) => void;

const html = (status: number) => (response: ServerResponse) => {
  response.writeHead(status, { "Content-Type": "text/html" });
  response.end("<html><body>Sign in</body></html>");
};
const status = (code: number, headers?: Record<string, string>) => (response: ServerResponse) =>
  answer(response, code, { kind: "Status", status: "Failure", code }, headers);
const bytes = (text: string) => (response: ServerResponse) => void response.socket?.end(text);

/** A verifier also asks for its first review within the time limit, so a short limit is for the silent server alone. */
const outages: readonly [string, Answer, object?][] = [
  ["500", status(500)],
  ["502 with HTML", html(502)],
  ["503", status(503)],
  ["504", status(504)],
  ["a connection that is reset", (response) => response.destroy()],
  ["silence until the timeout", () => {}, { reviewTimeoutSeconds: 0.5 }],
];

const rejections: readonly [string, Answer][] = [
  ["400", status(400)],
  ["401", status(401)],
  ["403", status(403)],
  ["404", status(404)],
  ["409", status(409)],
  ["429", status(429, { "Retry-After": "7" })],
  ["a redirect", (response) => response.writeHead(302, { Location: "/login" }).end()],
  ["200 with HTML", html(200)],
  ["201 with HTML", html(201)],
  ["201 with another object", status(201)],
  ["201 with a review without a status", (response) => answer(response, 201, { kind: "TokenReview" })],
  ["an answer that is too large", (response) => response.writeHead(201).end(`"${"x".repeat(300_000)}"`)],
  ["what is no HTTP", bytes("SSH-2.0-OpenSSH_9.2\r\n")],
];

const admin = async ({ service }: Verifier, path: string) => ask(service.adminPort, undefined, {}, "GET", path);
const reviewsOf = async (one: Verifier, outcome: string) => {
  const { body } = await admin(one, "/metrics");
  const found = new RegExp(`review_duration_seconds_count\\{outcome="${outcome}"\\} (\\d+)`).exec(body);
  return Number(found?.[1] ?? 0);
};

describe.each([...outages])("%s in place of a review is an outage", (_, reply, settings = {}) => {
  test("local decides by the signature, and the verifier stays ready", async () => {
    const { api, one } = await hybrid({ reviewOutage: "local", ...settings });
    api.review = (_review, response) => void reply(response);
    // More than the failures in a row after which the API server is not asked for some time.
    for (let at = 0; at < 5; at++) expect((await one.ask(mint({ jti: `${at}` }))).status).toBe(200);
    expect((await admin(one, "/readyz")).status).toBe(200);
    expect(await reviewsOf(one, "outage")).toBe(3);
    expect(await reviewsOf(one, "rejected")).toBe(0);
  });
  test("refuse answers 503", async () => {
    const { api, one } = await hybrid(settings);
    api.review = (_review, response) => void reply(response);
    const { status, body } = await one.ask(mint(), { Accept: "application/json" });
    expect({ status, ...JSON.parse(body) }).toMatchObject({ status: 503, reason: "review_unavailable" });
  });
});

describe.each([...rejections])("%s in place of a review is no outage", (_, reply) => {
  test.each(["hybrid", "tokenreview"])(
    "%s with reviewOutage local refuses every token, is unready, and recovers",
    async (mode) => {
      const { api, one } = await hybrid({ mode, reviewOutage: "local" });
      api.review = (_review, response) => void reply(response);
      // Also while the API server is not asked because of failures in a row.
      for (let at = 0; at < 5; at++) {
        const { status, headers, body } = await one.ask(mint({ jti: `${at}` }), { Accept: "application/json" });
        expect({ status, ...JSON.parse(body) }).toMatchObject({ status: 503, reason: "review_rejected" });
        expect(Number(headers["retry-after"])).toBeGreaterThan(0);
        expect(headers).not.toHaveProperty("x-k8sauth-subject");
      }
      expect(await reviewsOf(one, "rejected")).toBeGreaterThanOrEqual(3);
      expect(await reviewsOf(one, "outage")).toBe(0);
      const unready = await admin(one, "/readyz");
      expect(unready.status).toBe(503);
      expect(unready.body).toMatch(/^Tokens of \S+ cannot be reviewed: /);
      expect((await admin(one, "/metrics")).body).toContain("k8sauth_verifier_ready 0");

      api.review = (review) => acceptedStatus(review);
      await until(async () => {
        one.clock?.advance(1_000);
        return (await admin(one, "/readyz")).status === 200;
      }, "it is ready without any request");
      expect((await one.ask(mint({ jti: "after" }))).status).toBe(200);
    },
  );
});

test("an API server whose certificate is not of the CA is no outage: local refuses, and says why", async () => {
  const folder = new Folder();
  endsWithTest(folder);
  await using api = await apiServer();
  await using one = await verifier(apiSettings(api, folder, { reviewOutage: "local" }));
  expect((await one.ask(mint({ jti: "before" }))).status).toBe(200);
  folder.write("ca.crt", makeCertificate({ commonName: "another-ca" }).certPem);
  one.clock?.advance(61_000);
  expect((await one.ask(mint({ jti: "after" }))).status).toBe(503);
  const { status, body } = await admin(one, "/readyz");
  expect({ status, body }).toEqual({ status: 503, body: expect.stringContaining("TLS failed") });
});

test("an outage after a rejection leaves the verifier unready, because no review has succeeded since", async () => {
  const { api, one } = await hybrid({ reviewOutage: "local" });
  api.review = (_review, response) => void status(403)(response);
  expect((await one.ask(mint({ jti: "1" }))).status).toBe(503);
  api.outage = 503;
  for (let more = 0; more < 5; more++) {
    one.clock?.advance(5_000);
    expect((await admin(one, "/readyz")).status).toBe(503);
  }
});

test("a rejection of one issuer's reviews is shown, and does not make the verifier unready for the others", async () => {
  const folder = new Folder();
  endsWithTest(folder);
  await using home = await apiServer();
  await using other = await apiServer();
  const own = apiSettings(home, folder) as Record<string, unknown>;
  const issuers = [
    { name: "home", allow: ["*/*"], ...own },
    { name: "other", allow: ["*/*"], mode: "tokenreview", issuer: "https://other", ...own, apiServer: other.url },
  ];
  await using one = await verifier({ issuers });
  other.review = (_review, response) => void status(403)(response);
  expect((await one.ask(mint({ iss: "https://other" }))).status).toBe(503);
  expect((await one.ask(mint())).status).toBe(200);
  const { status: code, body } = await admin(one, "/readyz");
  expect(code).toBe(200);
  expect(body).toMatch(/^ok\nTokens of other cannot be reviewed: .*Bind its ServiceAccount/);
});
