import { describe, expect, test } from "vitest";
import { hybrid } from "../../../support/verifier/hybrid.ts";
import { goodKey, mint, now, rsaKey } from "../../../support/verifier/tokens.ts";
import { until } from "../../../support/verifier/verifier.ts";

describe("keys that change at the issuer", () => {
  test("a new one is found when the first token names it", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery" });
    const next = rsaKey();
    api.keys = [goodKey.jwk, next.jwk];
    one.clock?.advance(2_000);
    expect((await one.ask(mint({}, next))).status).toBe(200);
    expect((await one.ask(mint())).status).toBe(200);
  });
  test("tokens of a removed key are refused after the next refresh, cached ones too", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery", localCacheSeconds: 3600 });
    api.keyHeaders = { "Cache-Control": "public, max-age=60" };
    const token = mint({ exp: now + 7_200 });
    expect((await one.ask(token)).status).toBe(200);
    const next = rsaKey();
    api.keys = [next.jwk];
    one.clock?.advance(300_000);
    const pump = setInterval(() => one.clock?.advance(10), 1);
    expect((await one.ask(mint({}, next))).status).toBe(200);
    expect((await one.ask(token)).status).toBe(401);
    clearInterval(pump);
  });
  test("a source that fails leaves the last good keys in use, up to the limit", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery", maxStaleKeysSeconds: 3600, localCacheSeconds: 0 });
    api.outage = 500;
    one.clock?.advance(1_800_000);
    expect((await one.ask(mint({ exp: now + 7_200 }))).status).toBe(200);
    one.clock?.advance(2_200_000);
    expect((await one.ask(mint({ exp: now + 7_200 }))).status).toBe(503);
  });
  test.each([
    ["no list of keys", undefined],
    ["a list that is too long", Array(101).fill(goodKey.jwk)],
  ])("what is no key set, %s, does not replace good keys", async (_, keys) => {
    const { api, one } = await hybrid({ mode: "oidc-discovery", localCacheSeconds: 0 });
    api.keys = keys as unknown[];
    one.clock?.advance(400_000);
    await until(() => one.lines.some(({ msg }) => msg === "the keys could not be refreshed"), "the refresh failed");
    expect((await one.ask(mint())).status).toBe(200);
  });
  test.each([
    ["is empty", []],
    ["has only a weak key", [rsaKey(1024).jwk]],
  ])("a key set that %s withdraws the keys, also of remembered tokens, until it has one again", async (_, keys) => {
    const { api, one } = await hybrid({ mode: "oidc-discovery", localCacheSeconds: 3600 });
    const token = mint({ exp: now + 7_200 });
    expect((await one.ask(token)).status).toBe(200);
    api.keys = keys;
    one.clock?.advance(300_000);
    const pump = setInterval(() => one.clock?.advance(100), 1);
    await until(() => one.service.unreadyReasons().length > 0, "it is unready");
    expect(one.service.unreadyReasons()[0]).toMatch(/^The keys of cluster are withdrawn: .*holds no key/);
    expect(one.lines.some(({ level, msg }) => level === "error" && String(msg).includes("withdrawn its keys"))).toBe(
      true,
    );
    const { status, body } = await one.ask(token, { Accept: "application/json" });
    expect({ status, ...JSON.parse(body) }).toMatchObject({ status: 401, reason: "unknown_key" });
    api.keys = [goodKey.jwk];
    await until(() => one.service.unreadyReasons().length === 0, "it is ready again");
    expect((await one.ask(mint({ exp: now + 7_200, jti: "later" }))).status).toBe(200);
    clearInterval(pump);
  });
});
