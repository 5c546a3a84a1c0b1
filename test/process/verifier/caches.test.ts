/** The verifier's caches under load, and the memory that they take. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { AcceptedCache } from "../../../verifier/cache/caches.ts";
import { type AcceptedAnswer, acceptedAnswer, acceptedBytes } from "../../../verifier/http/answers.ts";
import type { Identity } from "../../../verifier/token/identity.ts";
import { hybrid } from "../../support/verifier/hybrid.ts";
import { load } from "../../support/verifier/load.ts";
import { audience, ecKey, issuer, mint, now, signRaw } from "../../support/verifier/tokens.ts";
import { ask } from "../../support/verifier/verifier.ts";

test("cached tokens of the greatest size take no more memory than is counted", () => {
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
});
