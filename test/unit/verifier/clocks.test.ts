/** The wall clock is set while the verifier runs: durations must not follow it. */
import { describe, expect, test } from "vitest";
import { LineLimit } from "../../../verifier/log.ts";
import { FileSource } from "../../../verifier/net/fileSource.ts";
import { hybrid } from "../../support/verifier/hybrid.ts";
import { goodKey, mint, now, rsaKey, strangeKey } from "../../support/verifier/tokens.ts";
import { acceptedStatus, Folder, TestClock, until } from "../../support/verifier/verifier.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe("a wall clock that is set back an hour", () => {
  test.each(["hybrid", "tokenreview"])("accepts no revoked token in mode %s", async (mode) => {
    const { api, one } = await hybrid({ mode });
    const token = mint({ iat: now - 2 * 3_600, nbf: now - 2 * 3_600 });
    expect((await one.ask(token)).status).toBe(200);
    api.review = () => ({ authenticated: false });
    one.clock?.set(-hourMs);
    one.clock?.advance(10_000);
    expect((await one.ask(token)).status).toBe(401);
  });

  test("does not prolong a refusal", async () => {
    const { api, one } = await hybrid();
    api.review = () => ({ authenticated: false });
    const token = mint({ iat: now - 2 * 3_600, nbf: now - 2 * 3_600 });
    expect((await one.ask(token)).status).toBe(401);
    api.review = (review) => acceptedStatus(review);
    one.clock?.set(-hourMs);
    one.clock?.advance(1_000);
    expect((await one.ask(token)).status).toBe(200);
  });

  test("does not delay the refresh for an unknown key", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery" });
    const next = rsaKey();
    api.keys = [goodKey.jwk, next.jwk];
    one.clock?.set(-hourMs);
    one.clock?.advance(1_000);
    const token = mint({ iat: now - 2 * 3_600, nbf: now - 2 * 3_600 }, next);
    expect((await one.ask(token)).status).toBe(200);
  });

  test("does not prolong the pause after consecutive failures", async () => {
    const { api, one } = await hybrid();
    const token = (jti: number) => mint({ iat: now - 2 * 3_600, nbf: now - 2 * 3_600, jti: String(jti) });
    api.outage = 500;
    for (let at = 0; at < 3; at++) expect((await one.ask(token(at))).status).toBe(503);
    api.outage = undefined;
    one.clock?.set(-hourMs);
    one.clock?.advance(500);
    expect((await one.ask(token(4))).status).toBe(200);
  });

  test("does not delay reading a file again", async () => {
    using folder = new Folder();
    const clock = new TestClock();
    const file = new FileSource(folder.write("token", "first"), clock, () => {});
    expect(await file.get()).toBe("first");
    folder.write("token", "second");
    clock.set(-hourMs);
    clock.advance(30_000);
    expect(await file.get()).toBe("second");
  });

  test("suppresses no log lines", () => {
    const clock = new TestClock();
    const limit = new LineLimit(1, clock.monotonic);
    expect([limit.admit(), limit.admit()]).toEqual([{}, undefined]);
    clock.set(-hourMs);
    clock.advance(1_000);
    expect(limit.admit()).toEqual({ suppressed: 1 });
  });
});

describe("a wall clock that is set 26 hours forward, as after a pause of the machine", () => {
  const later = { iat: now + 26 * 3_600, nbf: now + 26 * 3_600, exp: now + 27 * 3_600 };

  test.each(["hybrid", "oidc-discovery"])(
    "is answered with 200 at once in mode %s, after a refresh of the keys",
    async (mode) => {
      const { api, one } = await hybrid({ mode });
      const before = api.keyRequests;
      one.clock?.set(26 * hourMs);
      expect((await one.ask(mint(later))).status).toBe(200);
      expect(api.keyRequests).toBe(before + 1);
      expect((await one.ask(mint({ ...later, jti: "next" }))).status).toBe(200);
      expect(api.keyRequests).toBe(before + 1);
    },
  );

  test("detects a key that was withdrawn in the meantime", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery", localCacheSeconds: 3_600 });
    const token = mint({ exp: now + 20 * 3_600 });
    expect((await one.ask(token)).status).toBe(200);
    api.keys = [strangeKey.jwk];
    one.clock?.set(13 * hourMs);
    const pump = setInterval(() => one.clock?.advance(10), 1);
    expect((await one.ask(token)).status).toBe(401);
    clearInterval(pump);
  });

  test("uses no earlier review", async () => {
    const { api, one } = await hybrid();
    const token = mint({ exp: now + 20 * 3_600 });
    expect((await one.ask(token)).status).toBe(200);
    api.review = () => ({ authenticated: false });
    one.clock?.set(13 * hourMs);
    expect((await one.ask(token)).status).toBe(401);
  });

  test("keeps keys in use that cannot be refreshed", async () => {
    const { api, one } = await hybrid({ mode: "oidc-discovery" });
    api.outage = 500;
    one.clock?.set(26 * hourMs);
    expect((await one.ask(mint(later))).status).toBe(200);
    // By its own, monotonic clock they are too old after a day and what they were fresh for.
    one.clock?.advance(dayMs + 300_001);
    const much = { iat: now + 49 * 3_600, nbf: now + 49 * 3_600, exp: now + 51 * 3_600 };
    await until(async () => {
      one.clock?.advance(1_000);
      return (await one.ask(mint(much))).status === 503;
    }, "the keys are too old");
  });
});

test("keys that are stale because their timer stood still are refreshed before they are used", async () => {
  const { api, one } = await hybrid({ mode: "oidc-discovery" });
  const next = rsaKey();
  api.keys = [next.jwk];
  one.clock?.set(400_000);
  const pump = setInterval(() => one.clock?.advance(10), 1);
  expect((await one.ask(mint({ exp: now + 3_600, jti: "old" }))).status).toBe(401);
  clearInterval(pump);
  expect((await one.ask(mint({ exp: now + 3_600 }, next))).status).toBe(200);
});
