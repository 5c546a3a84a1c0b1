/** RSA keys whose numbers let others sign, or nobody. Pure. */
import { checkPrimeSync, type KeyObject } from "node:crypto";
import { isRoca } from "./roca.ts";

/** No factor of a modulus is smaller than this. */
const leastFactor = 752;
const smallPrimes = primesBelow(leastFactor).map(BigInt);

/**
 * Says what is wrong with the numbers of a public RSA key. The text continues a sentence whose subject is the key. Undefined for a sound
 * key. The size is not judged.
 *
 * @see NIST SP 800-89, 5.3.3, and the Baseline Requirements of the CA/Browser Forum, 6.1.1.3 and 6.1.6
 */
export function rsaProblem(key: KeyObject): string | undefined {
  const { publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (publicExponent < 3n || publicExponent % 2n === 0n) return "has an RSA exponent that is not odd and above 1";
  const { n = "" } = key.export({ format: "jwk" });
  const modulus = BigInt(`0x${Buffer.from(n, "base64url").toString("hex")}`);
  const factor = smallPrimes.find((prime) => modulus % prime === 0n);
  if (factor !== undefined) return `has an RSA modulus that is divisible by ${factor}`;
  // Random primes give such a modulus once in 10^35 keys.
  if (/0{128}|1{128}/.test(modulus.toString(2))) return "has an RSA modulus with 128 equal bits in a row";
  if (checkPrimeSync(modulus)) return "has an RSA modulus that is a prime number";
  if (isPower(modulus)) return "has an RSA modulus that is a power of one number";
  return isRoca(modulus) ? "is an RSA key whose private half can be computed (CVE-2017-15361)" : undefined;
}

function primesBelow(limit: number): number[] {
  const primes: number[] = [];
  for (let number = 2; number < limit; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  return primes;
}

/** Whether a number without small factors is a square, a cube or another power. */
function isPower(number: bigint): boolean {
  const bits = number.toString(2).length;
  return primesBelow(Math.ceil(bits / Math.log2(leastFactor)) + 1).some(
    (exponent) => root(number, bits, exponent) ** BigInt(exponent) === number,
  );
}

/** The whole part of a root, by Newton's method from above. */
function root(number: bigint, bits: number, exponent: number): bigint {
  const degree = BigInt(exponent);
  for (let guess = 1n << BigInt(Math.ceil(bits / exponent)); ; ) {
    const next = ((degree - 1n) * guess + number / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}
