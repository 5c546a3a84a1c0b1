import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { IssuerKeys } from "../../../../verifier/keys/issuerKeys.ts";
import { candidates, parseJwks, parseKeyFile } from "../../../../verifier/keys/keySet.ts";
import type { LoadedKeys } from "../../../../verifier/keys/keySource.ts";
import { freshForMs } from "../../../../verifier/keys/keySource.ts";
import { ecKey, edKey, goodKey, issuer, rsaKey, strangeKey } from "../../../support/verifier/tokens.ts";
import { TestClock, until } from "../../../support/verifier/verifier.ts";

const setOf = (...keys: object[]) => JSON.stringify({ keys });

describe("files", () => {
  test("PEM keys, PKCS #1 keys, certificates and text around them", () => {
    const pkcs1 = goodKey.publicKey.export({ type: "pkcs1", format: "pem" });
    const { certPem } = makeCertificate({ commonName: "issuer" });
    const text = `# the old one\r\n${pkcs1}\nand the new one\n${ecKey().publicPem}${certPem}`;
    const { keys, leftOut } = parseKeyFile(text, "file");
    expect(keys.map(({ algorithm, kid }) => [algorithm, kid])).toEqual([
      ["RS256", undefined],
      ["ES256", undefined],
      ["RS256", undefined],
    ]);
    expect(keys[0]?.thumbprint).toBe(goodKey.kid);
    expect(leftOut).toEqual([]);
  });
  test("a key set", () => {
    expect(parseKeyFile(` ${setOf(goodKey.jwk)}`, "file").keys).toMatchObject([
      { kid: goodKey.kid, algorithm: "RS256" },
    ]);
  });
  test.each([
    ["nothing", "\n"],
    ["no PEM", "ssh-rsa AAAA"],
    ["garbage in PEM", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
    ["a weak key", rsaKey(1024).publicPem],
    ["a curve that no algorithm has", ecKey("secp256k1").publicPem],
    [
      "a key for key agreement",
      generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "pem" }) as string,
    ],
  ])("%s is refused with a KEYS_ code", (_, text) => {
    expect(() => parseKeyFile(text, "the file")).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^KEYS_/) }),
    );
    expect(() => parseKeyFile(text, "the file")).toThrow("the file");
  });
  test("a private key is refused, and the error contains no part of it", () => {
    const pem = goodKey.privateKey.export({ type: "pkcs8", format: "pem" }) as string;
    expect(() => parseKeyFile(pem, "file")).toThrow(/private key/);
    expect(() => parseKeyFile(pem, "file")).not.toThrow(pem.split("\n")[1]);
  });
});

describe("key sets", () => {
  const algorithmsOf = (...keys: object[]) => parseJwks(setOf(...keys), "set").keys.map(({ algorithm }) => algorithm);
  test("each key has the one algorithm that it names, or its kind's own", () => {
    const { alg: _, ...nameless } = goodKey.jwk;
    expect(algorithmsOf(nameless, { ...nameless, alg: "PS256" }, ecKey("P-384", "ES384").jwk, edKey().jwk)).toEqual([
      "RS256",
      "PS256",
      "ES384",
      "EdDSA",
    ]);
  });
  test.each([
    ["ES256", goodKey.jwk],
    ["RS256", ecKey().jwk],
    ["ES384", ecKey().jwk],
    ["HS256", goodKey.jwk],
    ["RSA-OAEP", goodKey.jwk],
    ["none", goodKey.jwk],
    [1, goodKey.jwk],
  ])("a key that says %j and is another is left out", (alg, jwk) => {
    const { keys, leftOut } = parseJwks(setOf(strangeKey.jwk, { ...jwk, alg }), "set");
    expect(keys).toHaveLength(1);
    expect(leftOut).toHaveLength(1);
  });
  test.each([
    ["for encryption", { ...goodKey.jwk, use: "enc" }],
    ["for signing alone", { ...goodKey.jwk, key_ops: ["sign"] }],
    ["with a kid that is a number", { ...goodKey.jwk, kid: 1 }],
    ["symmetric", { kty: "oct", k: "AAAA", kid: "a" }],
    ["private", { ...goodKey.privateKey.export({ format: "jwk" }), kid: "a" }],
    ["with an exponent of 1", { ...goodKey.jwk, e: "AQ" }],
    ["with an even exponent", { ...goodKey.jwk, e: "Ag" }],
    ["of an unknown kind", { kty: "XYZ", kid: "a" }],
    ["null", null],
    ["text", "key"],
  ])("a key that is %s is left out, and the rest is used", (_, jwk) => {
    expect(parseJwks(setOf(strangeKey.jwk, jwk as object), "set").keys).toMatchObject([{ kid: strangeKey.kid }]);
  });
  test.each(["", "null", "[]", "{}", '{"keys":{}}', '{"keys":[]}', setOf(...Array(101).fill(goodKey.jwk))])(
    "%.40j is no key set",
    (text) => {
      expect(() => parseJwks(text, "set")).toThrow(expect.objectContaining({ code: expect.stringMatching(/^KEYS_/) }));
    },
  );
});

describe("keys that can have signed a token", () => {
  const { keys: named } = parseJwks(setOf(goodKey.jwk, strangeKey.jwk), "set");
  const { keys: nameless } = parseKeyFile(goodKey.publicPem + strangeKey.publicPem, "file");
  test("only the key that the token names", () => {
    expect(candidates(named, goodKey.kid, "RS256")).toMatchObject({ named: true, keys: [{ kid: goodKey.kid }] });
    expect(candidates(named, "other", "RS256")).toEqual({ named: false, keys: [] });
    expect(candidates(named, undefined, "RS256")).toEqual({ named: false, keys: [] });
    expect(candidates(named, goodKey.kid, "PS256")).toEqual({ named: true, keys: [] });
  });
  test("of keys without a key id, the one with that thumbprint, or any", () => {
    expect(candidates(nameless, goodKey.kid, "RS256").keys).toHaveLength(1);
    expect(candidates(nameless, "other", "RS256").keys).toHaveLength(2);
    expect(candidates(nameless, "other", "ES256").keys).toHaveLength(0);
  });
  test("at most eight, to limit the cost of a token", () => {
    const many = Array(20).fill(nameless[0]);
    expect(candidates(many, "other", "RS256").keys).toHaveLength(8);
  });
});

describe("how long a key set is fresh", () => {
  const seconds = (headers: Record<string, string>) => freshForMs(headers, Date.parse("2026-01-01T00:00:00Z")) / 1000;
  test.each<[Record<string, string>, number]>([
    [{}, 300],
    [{ "cache-control": "public, max-age=3600" }, 3600],
    [{ "cache-control": "max-age=600", age: "100" }, 500],
    [{ "cache-control": "max-age=600", age: "nonsense" }, 600],
    [{ "cache-control": 'max-age="120"' }, 120],
    [{ "cache-control": "max-age=99999999" }, 3600],
    [{ "cache-control": "max-age=0" }, 30],
    [{ "cache-control": "no-store" }, 30],
    [{ "cache-control": "no-cache, max-age=3600" }, 30],
    [{ "cache-control": "s-maxage=5" }, 300],
    [{ expires: "Thu, 01 Jan 2026 00:10:00 GMT" }, 600],
    [{ expires: "Thu, 01 Jan 2026 00:10:00 GMT", date: "Thu, 01 Jan 2026 00:05:00 GMT" }, 300],
    [{ expires: "0" }, 30],
  ])("%j: %d s", (headers, expected) => {
    expect(seconds(headers)).toBe(expected);
  });
});

describe("the keys of an issuer", () => {
  function issuerKeys(options: { maxStaleMs?: number; waits?: boolean } = {}) {
    const clock = new TestClock();
    const loads: { resolve: (loaded: LoadedKeys) => void; reject: (error: Error) => void }[] = [];
    const keys = new IssuerKeys({
      load: () => new Promise((resolve, reject) => loads.push({ resolve, reject })),
      clock,
      maxStaleMs: options.maxStaleMs ?? 1_000_000,
      waits: options.waits,
      random: () => 1,
    });
    const loaded = (...keys: { jwk: object }[]): LoadedKeys => ({
      set: parseJwks(setOf(...keys.map(({ jwk }) => jwk)), "set"),
      issuer,
      freshForMs: 60_000,
    });
    return { clock, loads, keys, loaded };
  }

  test("are unavailable before they are loaded", async () => {
    const { keys } = issuerKeys();
    await expect(keys.freshKeys()).rejects.toMatchObject({ reason: "keys_unavailable" });
  });
  test("are loaded again soon after a failure, and before they are stale", async () => {
    const { clock, loads, keys, loaded } = issuerKeys();
    keys.start();
    loads[0]?.reject(new Error("away"));
    await until(() => keys.wasTried, "the first try is over");
    await until(() => {
      clock.advance(250);
      return loads.length === 2;
    }, "a second try");
    loads[1]?.resolve(loaded(goodKey));
    await until(() => keys.isLoaded, "it is loaded");
    await new Promise(setImmediate);
    clock.advance(53_000);
    expect(loads).toHaveLength(2);
    clock.advance(1_000);
    await until(() => loads.length === 3, "it loads again");
    loads[2]?.resolve(loaded(goodKey));
    await keys.stop();
  });
  test("one refresh serves all callers that wait, and a second passes between two refreshes", async () => {
    const { clock, loads, keys, loaded } = issuerKeys();
    const first = Promise.all([keys.refresh(), keys.refresh()]);
    await until(() => loads.length === 1, "one look");
    loads[0]?.resolve(loaded(goodKey));
    await first;
    const second = keys.refresh();
    await new Promise(setImmediate);
    expect(loads).toHaveLength(1);
    clock.advance(1_000);
    await until(() => loads.length === 2, "the next look");
    loads[1]?.resolve(loaded(goodKey, strangeKey));
    await second;
    expect(keys.keyCount).toBe(2);
  });
  test("with waits: false, a refresh within the cooldown is enough", async () => {
    const { loads, keys, loaded } = issuerKeys({ waits: false });
    const first = keys.refresh();
    await until(() => loads.length === 1, "one look");
    loads[0]?.resolve(loaded(goodKey));
    await first;
    await keys.refresh();
    expect(loads).toHaveLength(1);
  });
  test("too many waiting callers get busy", async () => {
    const { loads, keys, loaded } = issuerKeys();
    const waiting = Array.from({ length: 256 }, () => keys.refresh());
    await expect(keys.refresh()).rejects.toMatchObject({ reason: "busy" });
    await until(() => loads.length === 1, "one look");
    loads[0]?.resolve(loaded(goodKey));
    await Promise.all(waiting);
  });
  test("a failed refresh refuses no token", async () => {
    const { loads, keys } = issuerKeys();
    const waiting = keys.refresh();
    await until(() => loads.length === 1, "one look");
    loads[0]?.reject(new Error("away"));
    await expect(waiting).rejects.toMatchObject({ reason: "keys_unavailable" });
  });
  test("the generation grows when a key is removed or changed, not when one is added", async () => {
    const { clock, loads, keys, loaded } = issuerKeys();
    const next = async (...published: { jwk: object }[]) => {
      const before = loads.length;
      clock.advance(1_000);
      const work = keys.refresh();
      await until(() => loads.length > before, "a look");
      loads[before]?.resolve(loaded(...published));
      await work;
      return keys.generation;
    };
    expect(await next(goodKey)).toBe(0);
    expect(await next(goodKey, strangeKey)).toBe(0);
    expect(await next(strangeKey, goodKey)).toBe(0);
    expect(await next(strangeKey)).toBe(1);
    expect(await next({ jwk: { ...goodKey.jwk, kid: strangeKey.kid } })).toBe(2);
  });
  test("stale keys are used only up to the limit", async () => {
    const { clock, loads, keys, loaded } = issuerKeys({ maxStaleMs: 10_000 });
    const first = keys.refresh();
    await until(() => loads.length === 1, "one look");
    loads[0]?.resolve(loaded(goodKey));
    await first;
    const failed = async () => {
      const before = loads.length;
      const asked = keys.freshKeys();
      await until(() => loads.length > before, "a look");
      loads[before]?.reject(new Error("away"));
      return asked;
    };
    clock.advance(70_000);
    expect(await failed()).toHaveLength(1);
    // The next look is the background's: it is known that there are no newer keys at the moment.
    expect(await keys.freshKeys()).toHaveLength(1);
    clock.advance(1_001);
    await expect(failed()).rejects.toMatchObject({ reason: "keys_unavailable" });
  });
});
