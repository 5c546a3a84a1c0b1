import { expect, test } from "vitest";
import { isRoca } from "../../../../verifier/keys/rsa.ts";
import { rsaKey } from "../../../support/verifier/tokens.ts";

/** Product of the first 126 primes: what the library at fault built its 2048-bit keys on. */
function primorial(): bigint {
  let product = 2n;
  for (let number = 3; number <= 701; number += 2) {
    if (![3, 5, 7, 11, 13, 17, 19, 23].some((prime) => number !== prime && number % prime === 0))
      product *= BigInt(number);
  }
  return product;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

test("a modulus of two such primes has the fingerprint, and its neighbours have not", () => {
  const m = primorial();
  expect(m.toString(2).length).toBe(971);
  for (const [k, a] of [
    [123_456_789n, 987_654_321n],
    [(1n << 53n) + 1n, 2n ** 200n + 17n],
  ] as const) {
    const p = k * m + power(65_537n, a, m);
    const q = (k + 2n) * m + power(65_537n, a * 3n + 1n, m);
    expect(isRoca(p * q)).toBe(true);
    expect(isRoca(p * q + 2n)).toBe(false);
  }
});

test("keys of OpenSSL's have not", () => {
  for (const bits of [2048, 3072]) {
    const { n } = rsaKey(bits).publicKey.export({ format: "jwk" });
    expect(isRoca(BigInt(`0x${Buffer.from(n ?? "", "base64url").toString("hex")}`))).toBe(false);
  }
});
