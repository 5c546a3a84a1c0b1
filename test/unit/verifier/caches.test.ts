import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { AcceptedCache, RefusedCache, TokenDigest } from "../../../verifier/cache/caches.ts";
import { Lru } from "../../../verifier/cache/lru.ts";
import { type AcceptedAnswer, acceptedAnswer, acceptedBytes } from "../../../verifier/http/answers.ts";
import type { Identity } from "../../../verifier/token/identity.ts";
import { hybrid, open } from "../../support/verifier/hybrid.ts";
import { load } from "../../support/verifier/load.ts";
import { audience, ecKey, goodKey, issuer, mint, now, signRaw, strangeKey } from "../../support/verifier/tokens.ts";
import {
  apiServer,
  apiSettings,
  ask,
  Folder,
  until,
  type Verifier,
  verifier,
} from "../../support/verifier/verifier.ts";

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
