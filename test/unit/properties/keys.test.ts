/** Verifier: the public keys that an issuer publishes, and how long they serve. */
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { VerifierError } from "../../../verifier/errors.ts";
import { parseJwks, parseKeyFile } from "../../../verifier/keys/keySet.ts";
import { freshForMs, maxFreshMs, minFreshMs } from "../../../verifier/keys/keySource.ts";
import { ecKey, edKey, goodKey } from "../../support/verifier/tokens.ts";
import { type Json, json, spoiled, textWith, thrownBy } from "./arbitraries.ts";

const keys = [goodKey, ecKey(), edKey()];
const published = { keys: keys.map(({ jwk }) => jwk) } as unknown as Json;
const privatePem = goodKey.privateKey.export({ type: "pkcs8", format: "pem" }) as string;

/** Reads keys, and expects at least one, or an error of the catalogue. */
function read(parse: typeof parseJwks, text: string): void {
  const error = thrownBy(() => {
    for (const { algorithm, key } of parse(text, "the source").keys) {
      expect(key.type).toBe("public");
      expect(algorithm).not.toMatch(/^(none|HS)/i);
    }
  });
  if (error === undefined) return;
  expect(error).toBeInstanceOf(VerifierError);
  expect((error as VerifierError).code).toMatch(/^KEYS_(MALFORMED|NONE_USABLE)$/);
}

describe("a key set", () => {
  test("is read, or refused with a code, whatever it holds", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          spoiled(published).map((set) => JSON.stringify(set)),
          json.map((value) => JSON.stringify(value)),
          textWith('{"keys":[', "]}", "{}"),
        ),
        (text) => read(parseJwks, text),
      ),
      { numRuns: 500 },
    );
  });

  test("gives no private and no symmetric key, and shows nothing of it", () => {
    const member = fc.constantFrom("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv");
    const value = fc.stringMatching(/^[A-Za-z0-9_-]{20,40}$/);
    fc.assert(
      fc.property(fc.constantFrom(...keys), member, value, ({ jwk }, name, secret) => {
        const error = thrownBy(() => parseJwks(JSON.stringify({ keys: [{ ...jwk, [name]: secret }] }), "the source"));
        expect(error).toMatchObject({ code: "KEYS_NONE_USABLE" });
        expect((error as Error).message).not.toContain(secret);
      }),
    );
  });
});

describe("a key file", () => {
  const { certPem } = makeCertificate({ commonName: "issuer" });
  const blocks = [...keys.map(({ publicPem }) => publicPem), certPem];

  test("gives every key in it, whatever stands between them and however its lines end", () => {
    const between = fc.stringMatching(/^[ a-zA-Z:=\n]{0,20}$/);
    const file = fc.record({
      chosen: fc.subarray(blocks, { minLength: 1 }),
      between,
      end: fc.constantFrom("\n", "\r\n"),
    });
    fc.assert(
      fc.property(file, ({ chosen, between, end }) => {
        const text = chosen
          .map((block) => `${between}\n${block}`)
          .join("\n")
          .replaceAll("\n", end);
        const found = parseKeyFile(text, "keys.pem").keys.map(({ key }) => key.export({ type: "spki", format: "pem" }));
        expect(found).toEqual(
          chosen.map((block) =>
            block === certPem ? new X509Certificate(block).publicKey.export({ type: "spki", format: "pem" }) : block,
          ),
        );
      }),
    );
  });

  test("is read, or refused with a code, whatever it holds", () => {
    fc.assert(
      fc.property(textWith("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----", "{", ...blocks), (text) =>
        read(parseKeyFile, text),
      ),
    );
  });

  test("with a private key is refused without showing it", () => {
    fc.assert(
      fc.property(textWith(...blocks), textWith(), (before, after) => {
        const error = thrownBy(() => parseKeyFile(`-${before}\n${privatePem}\n${after}`, "keys.pem"));
        expect(error).toMatchObject({ code: "KEYS_MALFORMED", message: expect.stringContaining("private key") });
        for (const line of privatePem.split("\n").filter((one) => one.length > 40)) {
          expect((error as Error).message).not.toContain(line);
        }
      }),
    );
  });
});

test("keys serve between half a minute and an hour, whatever the headers of the answer say", () => {
  const dates = fc.oneof(
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    textWith("0", "Thu, 01 Jan 1970 00:00:00 GMT"),
  );
  const headers = fc.record(
    {
      "cache-control": textWith("max-age=", "no-store", ",", "60", "9999999999", '"'),
      age: textWith("5", "-1", "1e999"),
      expires: dates,
      date: dates,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(headers, fc.nat({ max: 8_000_000_000_000 }), (given, now) => {
      const lasts = freshForMs(given, now);
      expect(lasts).toBeGreaterThanOrEqual(minFreshMs);
      expect(lasts).toBeLessThanOrEqual(maxFreshMs);
    }),
    { numRuns: 500 },
  );
});
