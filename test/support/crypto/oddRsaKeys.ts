import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from "node:crypto";

/** An unsafe RSA key: others can forge its signatures, or it verifies no signature. */
export interface OddRsaKey {
  readonly name: string;
  readonly publicKey: KeyObject;
  /** Its numbers do not belong together. OpenSSL reads it nevertheless. */
  readonly privateKey: KeyObject;
}

const good = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

function numberOf(text = ""): bigint {
  return BigInt(`0x${Buffer.from(text, "base64url").toString("hex")}`);
}

function textOf(number: bigint): string {
  const digits = number.toString(16);
  return Buffer.from(digits.length % 2 ? `0${digits}` : digits, "hex").toString("base64url");
}

const [modulus, factor] = [numberOf(good.n), numberOf(good.p)];

/** A number of 2048 bits, most of them 0, without small factors. */
function sparse(): bigint {
  const primes = Array.from({ length: 752 }, (_, number) => BigInt(number)).slice(2);
  for (let number = (1n << 2047n) + 1n; ; number += 2n)
    if (primes.every((prime) => number % prime !== 0n)) return number;
}

const numbers: readonly (readonly [name: string, numbers: { n?: bigint; e?: bigint }])[] = [
  ["an even modulus", { n: modulus - 1n }],
  ["the modulus 2^2047 + 1", { n: (1n << 2047n) + 1n }],
  ["a modulus of which most bits are 0", { n: sparse() }],
  ["the square of a prime number as modulus", { n: factor * factor }],
  ["the exponent 1", { e: 1n }],
  ["an even exponent", { e: 65_536n }],
];

export const oddRsaKeys: readonly OddRsaKey[] = numbers.map(([name, { n = modulus, e = numberOf(good.e) }]) => {
  const jwk: JsonWebKey = { ...good, n: textOf(n), e: textOf(e) };
  const { kty, n: publicModulus, e: exponent } = jwk;
  return {
    name,
    publicKey: createPublicKey({ key: { kty, n: publicModulus, e: exponent }, format: "jwk" }),
    privateKey: createPrivateKey({ key: jwk, format: "jwk" }),
  };
});
