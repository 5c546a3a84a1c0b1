import { describe, expect, test } from "vitest";
import { AcceptedCache, RefusedCache, TokenDigest } from "../../../verifier/cache/caches.ts";
import { Lru } from "../../../verifier/cache/lru.ts";
import { endsWithTest, hybrid } from "../../support/verifier/hybrid.ts";
import { audience, goodKey, mint, strangeKey } from "../../support/verifier/tokens.ts";
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
});

test("tokens that are refused because of an outage are verified again after it", async () => {
  const folder = new Folder();
  endsWithTest(folder);
  const api = await apiServer();
  endsWithTest(api);
  api.outage = 500;
  const one = await verifier(apiSettings(api, folder), { unready: true });
  endsWithTest(one);
  const token = mint();
  // The issuer's name is not known yet.
  expect((await one.ask(token)).status).toBe(503);
  api.outage = undefined;
  const pump = setInterval(() => one.clock?.advance(20), 1);
  await until(() => one.service.unreadyReasons().length === 0, "it is ready");
  clearInterval(pump);
  expect((await one.ask(token)).status).toBe(200);
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
