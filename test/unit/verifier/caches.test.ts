import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { AcceptedCache, RefusedCache, TokenDigest } from "../../../verifier/cache/caches.ts";
import { Lru } from "../../../verifier/cache/lru.ts";
import { type AcceptedAnswer, acceptedAnswer, acceptedBytes } from "../../../verifier/http/answers.ts";
import type { Identity } from "../../../verifier/token/identity.ts";
import { hybrid, open } from "./hybrid.ts";
import { load } from "./load.ts";
import {
  acceptedStatus,
  apiServer,
  apiSettings,
  ask,
  Folder,
  keySettings,
  until,
  type Verifier,
  verifier,
} from "./support.ts";
import { audience, ecKey, goodKey, issuer, mint, now, signRaw, strangeKey } from "./tokens.ts";

describe("the least recently used entry is evicted first", () => {
  test("by number", () => {
    const lru = new Lru<number>(2);
    lru.set("a", 1);
    lru.set("b", 2);
    expect(lru.get("a")).toBe(1);
    lru.set("c", 3);
    expect([lru.get("a"), lru.get("b"), lru.get("c"), lru.size]).toEqual([1, undefined, 3, 2]);
  });
  test("by weight", () => {
    const lru = new Lru<number>(10, 100);
    lru.set("a", 1, 60);
    lru.set("b", 2, 60);
    expect([lru.get("a"), lru.get("b")]).toEqual([undefined, 2]);
    lru.set("b", 3, 40);
    lru.set("c", 4, 60);
    expect([lru.get("b"), lru.get("c")]).toEqual([3, 4]);
    lru.set("huge", 5, 101);
    expect([lru.get("huge"), lru.size]).toEqual([undefined, 2]);
  });
  test("deleting a missing entry changes nothing", () => {
    const lru = new Lru<number>(1);
    lru.delete("a");
    expect(lru.size).toBe(0);
  });
});

describe("accepted tokens", () => {
  const at = (ms: number, wall = ms) => ({ monotonic: ms, wall });
  const entry = (token: string, until = at(2_000)) => ({
    token,
    answer: { of: token },
    until,
    isCurrent: () => true,
    answerBytes: 0,
  });
  test("are found by the whole token, not by the end that they share with another", () => {
    const cache = new AcceptedCache<object>(10);
    const tail = "x".repeat(60);
    cache.set(entry(`good.${tail}`));
    expect(cache.get(`good.${tail}`, at(1_000))).toEqual({ of: `good.${tail}` });
    expect(cache.get(`evil.${tail}`, at(1_000))).toBeUndefined();
    expect(cache.get(`good.${tail}`, at(1_000))).toBeDefined();
  });
  test("expire, and are removed with their keys", () => {
    const cache = new AcceptedCache<object>(10);
    cache.set(entry("a"));
    expect(cache.get("a", at(2_000))).toBeUndefined();
    cache.set({ ...entry("b"), isCurrent: () => false });
    expect(cache.get("b", at(1_000))).toBeUndefined();
    expect(cache.size).toBe(0);
  });
});

test("digests include a secret of the process", () => {
  expect(new TokenDigest().of("a")).not.toBe(new TokenDigest().of("a"));
  const digest = new TokenDigest();
  expect(digest.of("a")).toBe(digest.of("a"));
  const cache = new RefusedCache(10);
  cache.set(digest.of("a"), "expired", 2_000);
  expect([cache.get(digest.of("a"), 1_999), cache.get(digest.of("a"), 2_000)]).toEqual(["expired", undefined]);
});

describe("cached tokens", () => {
  const sizes = async (one: Verifier) => {
    const { body } = await ask(one.service.adminPort, undefined, {}, "GET", "/metrics");
    const found = body.matchAll(/^k8sauth_verifier_cache_(entries|bytes)\{cache="(\w+)"\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, unit, cache, value]) => [`${cache} ${unit}`, Number(value)]));
  };
  test("are removed from memory when they expire, without a further request", async () => {
    const { one } = await hybrid();
    await one.ask(mint());
    await one.ask("x.y.z");
    await one.ask(mint({ aud: "other" }));
    expect(await sizes(one)).toMatchObject({ "accepted entries": 1, "refused entries": 1 });
    one.clock?.advance(10_000);
    await until(async () => (await sizes(one))["accepted entries"] === 0, "they are gone");
    const none = { "accepted entries": 0, "accepted bytes": 0, "refused entries": 0, "refused bytes": 0 };
    expect(await sizes(one)).toEqual(none);
  });
  test("are counted with all their memory", async () => {
    const { one } = await hybrid();
    await one.ask(mint());
    const { "accepted bytes": small = 0 } = await sizes(one);
    // An audience of two bytes a character, in the token three times.
    const audiences = [audience, "\u20ac".repeat(1_000)];
    await one.ask(mint({ aud: audiences }));
    const { "accepted bytes": both = 0 } = await sizes(one);
    expect(small).toBeGreaterThan(mint().length + 500);
    expect(both - small).toBeGreaterThan(mint({ aud: audiences }).length + 2_000);
  });
  test("of the greatest size take no more memory than is counted", () => {
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const cache = new AcceptedCache<AcceptedAnswer>(3_000);
    const fill = () => {
      for (let at = 0; at < 3_000; at++) {
        const filler = `${String(at).padStart(8, "0")}${"\u20ac".repeat(1_500)}`;
        // A separate text for each, as parsed tokens have it.
        const identity: Identity = JSON.parse(
          JSON.stringify({
            ...{ subject: `s${filler.slice(0, 8)}`, issuer, audience, audiences: [audience, filler] },
            ...{ namespace: `n${filler.slice(0, 8)}`, serviceAccountName: "web", serviceAccountUid: `u${at}` },
            ...{ expiresAt: at, issuedAt: at },
          }),
        );
        const answer = acceptedAnswer(identity);
        const token = Buffer.alloc(7_000, `${filler.slice(0, 8)}x`).toString("latin1");
        const until = { monotonic: 1, wall: 1 };
        cache.set({ token, answer, until, isCurrent: () => true, answerBytes: acceptedBytes(answer) });
      }
    };
    collect();
    const before = process.memoryUsage().heapUsed;
    fill();
    collect();
    const grown = process.memoryUsage().heapUsed - before;
    expect(cache.size).toBeGreaterThan(1_000);
    expect(grown).toBeGreaterThan(cache.bytes / 3);
    expect(grown).toBeLessThan(cache.bytes);
    expect(cache.bytes).toBeLessThanOrEqual(48 * 1024 * 1024);
  });
});

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
    open.push({ [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() });
    const api = await apiServer();
    open.push(api);
    const one = await verifier(apiSettings(api, folder, { mode: "tokenreview" }));
    open.push(one);
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

describe("tokens that are refused without a signature check", () => {
  // Its signatures cost a fraction of RSA's.
  const key = ecKey();
  const reasons: Record<string, (at: number) => string> = {
    "another issuer": (at) => mint({ iss: "https://other.example", jti: String(at) }, key),
    "an unused algorithm": (at) => mint({ jti: String(at) }, key, { alg: "none" }),
    "a date that is over": (at) => mint({ exp: now - 100, iat: now - 200, nbf: now - 200, jti: String(at) }, key),
    "claims that are none": (at) => signRaw({ alg: key.alg, kid: key.kid }, `[${at}]`, key),
  };
  test.each(Object.entries(reasons))(
    "for %s leave no pending work, however many there are",
    { timeout: 60_000 },
    async (_, make) => {
      const { one } = await hybrid({}, [key]);
      const distinct = 2_100;
      const tokens = Array.from({ length: distinct }, (_, at) => make(at));
      const statuses = new Map<number, number>();
      const onAnswer = (status: number) => void statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await load({ port: one.port, connections: 8, next: () => tokens.pop(), onAnswer });
      expect(Object.fromEntries(statuses)).toEqual({ 401: distinct });
      const { body } = await ask(one.service.adminPort, undefined, {}, "GET", "/metrics");
      expect(body).toMatch(/^k8sauth_verifier_pending\S* 0$/m);
      expect((await one.ask(mint({ jti: "good" }, key))).status).toBe(200);
    },
  );
  test("because of an outage are verified again after it", async () => {
    const folder = new Folder();
    open.push({ [Symbol.asyncDispose]: async () => folder[Symbol.dispose]() });
    const api = await apiServer();
    open.push(api);
    api.outage = 500;
    const one = await verifier(apiSettings(api, folder), { unready: true });
    open.push(one);
    const token = mint();
    // The issuer's name is not known yet.
    expect((await one.ask(token)).status).toBe(503);
    api.outage = undefined;
    const pump = setInterval(() => one.clock?.advance(20), 1);
    await until(() => one.service.unreadyReasons().length === 0, "it is ready");
    clearInterval(pump);
    expect((await one.ask(token)).status).toBe(200);
  });
});

test("forged tokens displace no accepted ones, however many there are", async () => {
  const { api, one } = await hybrid({ cacheEntries: 2, refusedCacheEntries: 2, reviewCacheSeconds: 600 });
  const token = mint();
  await one.ask(token);
  for (let at = 0; at < 20; at++) {
    expect((await one.ask(mint({ jti: String(at) }, strangeKey, { kid: goodKey.kid }))).status).toBe(401);
  }
  await one.ask(token);
  expect(api.reviews).toHaveLength(1);
});
