/** Decisions that are cached, and those in an outage of the API server. */
import { describe, expect, test } from "vitest";
import { endsWithTest, hybrid } from "../../support/verifier/hybrid.ts";
import { mint, now } from "../../support/verifier/tokens.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  Folder,
  keySettings,
  until,
  verifier,
} from "../../support/verifier/verifier.ts";

describe("a reviewed token", () => {
  test("is reviewed once in the cache's time, counted from the question", async () => {
    const { api, one } = await hybrid();
    const token = mint();
    for (let at = 0; at < 3; at++) await one.ask(token);
    one.clock?.advance(9_999);
    await one.ask(token);
    expect(api.reviews).toHaveLength(1);
    one.clock?.advance(1);
    await one.ask(token);
    expect(api.reviews).toHaveLength(2);
  });
  test("is refused within the cache time after the API server refuses it", async () => {
    const { api, one } = await hybrid();
    const token = mint();
    expect((await one.ask(token)).status).toBe(200);
    api.review = () => ({ authenticated: false });
    one.clock?.advance(10_000);
    expect((await one.ask(token)).status).toBe(401);
  });
  test("that was refused is reviewed again after a second, because the API server can be late", async () => {
    const { api, one } = await hybrid();
    api.review = () => ({ authenticated: false });
    const token = mint();
    expect((await one.ask(token)).status).toBe(401);
    api.review = (review) => acceptedStatus(review);
    expect((await one.ask(token)).status).toBe(401);
    one.clock?.advance(1_000);
    expect((await one.ask(token)).status).toBe(200);
  });
});

describe("a locally verified token", () => {
  test("is not accepted beyond its exp, whatever the cache's time", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const token = mint({ exp: now + 60 });
    expect((await one.ask(token)).status).toBe(200);
    one.clock?.advance(69_000);
    expect((await one.ask(token)).status).toBe(200);
    one.clock?.advance(1_000);
    expect((await one.ask(token)).status).toBe(401);
  });
  test("that is not valid yet is accepted as soon as it is", async () => {
    using folder = new Folder();
    await using one = await verifier(keySettings(folder));
    const token = mint({ nbf: now + 20, iat: now + 20 });
    expect((await one.ask(token)).status).toBe(401);
    one.clock?.advance(10_000);
    expect((await one.ask(token)).status).toBe(200);
  });
});

describe("outages", () => {
  test("are not cached", async () => {
    const { api, one } = await hybrid();
    api.outage = 500;
    const token = mint();
    expect((await one.ask(token)).status).toBe(503);
    api.outage = undefined;
    expect((await one.ask(token)).status).toBe(200);
  });
  test("Retry-After of the API server is forwarded", async () => {
    const { api, one } = await hybrid();
    api.review = (_, response) => {
      response.writeHead(429, { "Retry-After": "7" });
      response.end("{}");
      return undefined;
    };
    const { status, headers } = await one.ask(mint());
    expect({ status, after: headers["retry-after"] }).toEqual({ status: 503, after: "7" });
  });
  test.each([
    ["an answer that is no JSON", "<html>"],
    ["JSON of another kind", '{"kind":"Status"}'],
    ["a review without a status", '{"kind":"TokenReview"}'],
    ["a list", "[]"],
    ["an answer that never stops", "x".repeat(300_000)],
  ])("%s is one", async (_, body) => {
    const { api, one } = await hybrid();
    api.review = (_review, response) => {
      response.writeHead(201);
      response.end(body);
      return undefined;
    };
    expect((await one.ask(mint())).status).toBe(503);
  });
  test("a redirect is one: tokens are sent nowhere else", async () => {
    const { api, one } = await hybrid();
    await using elsewhere = await apiServer();
    api.review = (_, response) => {
      response.writeHead(307, { Location: `${elsewhere.url}/apis/authentication.k8s.io/v1/tokenreviews` });
      response.end();
      return undefined;
    };
    expect((await one.ask(mint())).status).toBe(503);
    expect(elsewhere.reviews).toEqual([]);
  });
  test("our own token's refusal is one, never the caller's fault, and the token is read again", async () => {
    const folder = new Folder();
    endsWithTest(folder);
    const api = await apiServer();
    endsWithTest(api);
    const one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    endsWithTest(one);
    const standard = api.server.handler;
    api.server.handler = (request, response) => {
      if (request.headers.authorization === "Bearer rotated") return standard(request, response);
      response.writeHead(401);
      response.end("{}");
    };
    expect((await one.ask(mint())).status).toBe(503);
    expect(one.lines.some(({ code }) => code === "REVIEW_UNAUTHORIZED")).toBe(true);
    folder.write("token", "rotated");
    expect((await one.ask(mint())).status).toBe(200);
  });
  test("with reviewOutage local, hybrid continues, and reviews again after a second", async () => {
    const { api, one } = await hybrid({ reviewOutage: "local" });
    api.outage = 500;
    const token = mint();
    expect((await one.ask(token)).status).toBe(200);
    expect((await one.ask(mint({ aud: "other" }))).status).toBe(401);
    api.outage = undefined;
    api.review = () => ({ authenticated: false });
    one.clock?.advance(1_000);
    expect((await one.ask(token)).status).toBe(401);
  });
  test("after three consecutive ones, requests fail at once for half a second", async () => {
    const { api, one } = await hybrid();
    api.outage = 500;
    const asked = () => api.server.requests.filter(({ url }) => url.endsWith("/tokenreviews")).length;
    for (let at = 0; at < 5; at++) expect((await one.ask(mint({ jti: String(at) }))).status).toBe(503);
    expect(asked()).toBe(3);
    api.outage = undefined;
    one.clock?.advance(500);
    expect((await one.ask(mint())).status).toBe(200);
  });
});

describe("at the same time", () => {
  test("one token is reviewed once for all requests", async () => {
    const { api, one } = await hybrid();
    const token = mint();
    const answers = await Promise.all(Array.from({ length: 50 }, () => one.ask(token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(api.reviews).toHaveLength(1);
  });
  test("reviews above the limit wait, and above the queue get 503", async () => {
    const { api, one } = await hybrid({ maxReviews: 2 });
    const held: (() => void)[] = [];
    let most = 0;
    api.review = (review, response) => {
      held.push(() => response.end(JSON.stringify({ kind: "TokenReview", status: acceptedStatus(review) })));
      most = Math.max(most, held.length);
      return undefined;
    };
    const statuses: number[] = [];
    const asked = Array.from({ length: 12 }, async (_, at) => {
      statuses.push((await one.ask(mint({ jti: String(at) }))).status);
    });
    await until(() => statuses.length === 2 && held.length === 2, "two are in flight and two have their answer");
    const release = setInterval(() => held.shift()?.(), 2);
    await Promise.all(asked);
    clearInterval(release);
    // Two in flight, eight in the queue, two too many.
    expect(statuses).toEqual([503, 503, ...Array(10).fill(200)]);
    expect(most).toBe(2);
  });
});
