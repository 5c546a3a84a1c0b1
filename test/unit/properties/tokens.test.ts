/** Verifier: what is a token, and what may be said of it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Refusal, VerifierError } from "../../../verifier/errors.ts";
import { withoutToken, withoutUserinfo } from "../../../verifier/redact.ts";
import { reviewedUser } from "../../../verifier/review/reviewedUser.ts";
import { parseRule } from "../../../verifier/rules/allowList.ts";
import { matchesGlob, parseRoute } from "../../../verifier/rules/routes.ts";
import { checkClaims, precheckClaims } from "../../../verifier/token/claims.ts";
import { claimedOrigin, decode } from "../../../verifier/token/decode.ts";
import { bearerToken, checkGrammar, maxTokenLength } from "../../../verifier/token/grammar.ts";
import { audience, encode, issuer, now, podClaims } from "../../support/verifier/tokens.ts";
import { acceptedStatus } from "../../support/verifier/verifier.ts";
import { type Json, json, runs, spoiled, textWith, thrownBy } from "./arbitraries.ts";

const part = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("base64url"));
const wellFormed = fc.tuple(part, part, part).map((parts) => parts.join("."));
const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const nearlyToken = fc.oneof(
  wellFormed,
  fc.array(base64url, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(".")),
  textWith(".", "=", "eyJ", "ab", "a_-"),
);

describe("the grammar", () => {
  test("accepts a text if and only if it is three parts that are encoded from their own bytes", () => {
    fc.assert(
      fc.property(nearlyToken, (token) => {
        const parts = token.split(".");
        const canonical = parts.every(
          (one) => one !== "" && Buffer.from(one, "base64url").toString("base64url") === one,
        );
        const error = thrownBy(() => checkGrammar(token));
        expect(error === undefined).toBe(parts.length === 3 && canonical && token.length <= maxTokenLength);
        if (error !== undefined) expect(error).toMatchObject({ reason: "malformed_token" });
      }),
      runs(1_000),
    );
  });

  test("takes a token out of its header, in whatever case and place the header is", () => {
    const other = fc.tuple(fc.constantFrom("Host", "X-Authorization", "Accept"), fc.string());
    const scheme = fc.mixedCase(fc.constant("bearer"));
    fc.assert(
      fc.property(
        fc.array(other),
        fc.mixedCase(fc.constant("authorization")),
        scheme,
        wellFormed,
        (others, name, word, token) => {
          const headers = [...others.flat(), name, `${word} ${token}`, ...others.flat()];
          expect(bearerToken(headers)).toBe(token);
          const twice = [...headers, name, `${word} ${token}`];
          expect(thrownBy(() => bearerToken(twice))).toMatchObject({ reason: "malformed_request" });
        },
      ),
    );
  });

  test("answers every header with a token that is not empty, or with a refusal", () => {
    fc.assert(
      fc.property(textWith("Bearer", "bearer ", "Basic ", "\t"), (value) => {
        const error = thrownBy(() => expect(bearerToken(["Authorization", value])).not.toBe(""));
        if (error !== undefined) expect(error).toBeInstanceOf(Refusal);
      }),
    );
  });
});

describe("what is in a token", () => {
  const signed = (header: unknown, claims: unknown) => `${encode(header)}.${encode(claims)}.${encode("x")}`;

  test("is read, or refused, whatever bytes it is made of", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((some) => Buffer.from(some).toString("base64url"));
    const text = fc.oneof(bytes, json.map(encode), textWith("{", "}", '"alg":', '"RS256"').map(encode));
    fc.assert(
      fc.property(text, text, (header, payload) => {
        const error = thrownBy(() => decode(`${header}.${payload}.eA`));
        if (error !== undefined) expect(error).toBeInstanceOf(Refusal);
      }),
      runs(500),
    );
  });

  test("is printable where it goes into the log", () => {
    fc.assert(
      fc.property(textWith("kid", "https://"), textWith(), (iss, kid) => {
        const origin = claimedOrigin(signed({ alg: "RS256", kid }, { iss }));
        for (const shown of Object.values(origin)) expect(shown ?? "").toMatch(/^[\x20-\x7e]{0,256}$/);
      }),
    );
  });

  test("gives the identity that the claims name, or a refusal, whatever the claims are", () => {
    const rules = {
      issuer,
      audiences: [audience],
      apiAudiences: [],
      maxTokenLifetimeSeconds: 86_400,
      clockSkewSeconds: 5,
    };
    fc.assert(
      fc.property(spoiled(podClaims() as Json), (value) => {
        fc.pre(typeof value === "object" && value !== null && !Array.isArray(value));
        const claims = value as Record<string, unknown>;
        const prechecked = thrownBy(() => precheckClaims(claims, rules, now));
        if (prechecked !== undefined) expect(prechecked).toBeInstanceOf(Refusal);
        const error = thrownBy(() => {
          const identity = checkClaims(claims, rules, now);
          const [, , namespace, name] = String(claims.sub).split(":");
          expect(identity).toMatchObject({ issuer: claims.iss, namespace, serviceAccountName: name, audience });
          expect([claims.aud].flat()).toContain(audience);
          expect(identity.expiresAt).toBeGreaterThan(now - rules.clockSkewSeconds);
        });
        if (error !== undefined) expect(error).toBeInstanceOf(Refusal);
      }),
      runs(1_000),
    );
  });
});

test("a review accepts no caller that the API server did not authenticate for one of the audiences, whatever it answers", () => {
  const good = { kind: "TokenReview", status: acceptedStatus({ token: "", audiences: [audience] }) } as unknown as Json;
  fc.assert(
    fc.property(spoiled(good), (value) => {
      fc.pre(typeof value === "object" && value !== null);
      const error = thrownBy(() => {
        const user = reviewedUser(value, [audience]);
        if (user === undefined) return;
        const { status } = value as {
          status: { authenticated: unknown; audiences: unknown; user: { username: string } };
        };
        expect(status).toMatchObject({ authenticated: true, audiences: expect.arrayContaining([audience]) });
        expect(`system:serviceaccount:${user.namespace}:${user.name}`).toBe(status.user.username);
      });
      const isOurs = error === undefined || error instanceof Refusal || error instanceof VerifierError;
      expect(isOurs, String(error)).toBe(true);
    }),
    runs(1_000),
  );
});

describe("words of another server", () => {
  test("hold no eight characters of the token in a row, however it is repeated", () => {
    const around = fc.stringMatching(/^[ -~]{0,12}$/);
    fc.assert(
      fc.property(wellFormed, around, around, fc.nat(), fc.nat(), (token, before, after, from, length) => {
        const start = from % token.length;
        const shown = withoutToken(
          `${before}${token.slice(start, start + 8 + (length % token.length))}${after}`,
          token,
        );
        for (let at = 0; at + 8 <= shown.length; at++) {
          expect(token).not.toContain(shown.slice(at, at + 8));
        }
      }),
      runs(500),
    );
  });

  test("hold no user of a URL", () => {
    const word = fc.stringMatching(/^[a-z0-9:%]{1,12}$/);
    fc.assert(
      fc.property(word, word, textWith("@", "://", "/"), (user, host, after) => {
        const secret = `S3CR3T-${user}`;
        expect(withoutUserinfo(`cannot reach https://${secret}@${host}/${after}`)).not.toContain(secret);
      }),
    );
  });
});

describe("rules", () => {
  test("are read or refused, whatever they are", () => {
    fc.assert(
      fc.property(textWith("shop/web", "*/*", " GET ", "GET|POST", "/orders/*", "..", "%2f", "/"), (text) => {
        for (const parse of [parseRule, parseRoute]) {
          const error = thrownBy(() => parse(text));
          if (error !== undefined) expect(error).toMatchObject({ name: "VerifierError", code: "CONFIG_INVALID" });
        }
      }),
    );
  });

  test("match as the same globs do that are written as regular expressions", () => {
    const pattern = fc.stringMatching(/^[ab*?]{0,7}$/);
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[ab]{0,9}$/), (glob, text) => {
        const regular = new RegExp(`^${glob.replaceAll("*", ".*").replaceAll("?", ".")}$`);
        expect(matchesGlob(glob, text)).toBe(regular.test(text));
      }),
      runs(1_000),
    );
  });
});
