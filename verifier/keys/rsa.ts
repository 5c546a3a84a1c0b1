/** Finds unsafe public RSA keys: others can forge signatures of such a key, or it verifies no signature at all. Pure. */
import { checkPrimeSync, type KeyObject } from "node:crypto";

/** Least prime factor that a modulus may have. */
const leastFactor = 752;
const smallPrimes = primesBelow(leastFactor);
const smallFactors = smallPrimes.map(BigInt);

/**
 * Describes the problem of a public RSA key, as the continuation of a sentence whose subject is the key. Returns `undefined` for a good
 * key. Does not check the size.
 *
 * @see NIST SP 800-89, section 5.3.3, and the Baseline Requirements of the CA/Browser Forum, sections 6.1.1.3 and 6.1.6
 */
export function rsaProblem(key: KeyObject): string | undefined {
  const { publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (publicExponent < 3n || publicExponent % 2n === 0n) return "has an RSA exponent that is not odd and above 1";
  const { n = "" } = key.export({ format: "jwk" });
  const modulus = BigInt(`0x${Buffer.from(n, "base64url").toString("hex")}`);
  const factor = smallFactors.find((prime) => modulus % prime === 0n);
  if (factor !== undefined) return `has an RSA modulus that is divisible by ${factor}`;
  // Fewer than one in 10^35 keys has such a modulus by chance.
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

/** The integer part of a root, by Newton's method from above. */
function root(number: bigint, bits: number, exponent: number): bigint {
  const degree = BigInt(exponent);
  for (let guess = 1n << BigInt(Math.ceil(bits / exponent)); ; ) {
    const next = ((degree - 1n) * guess + number / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

/** The faulty library of ROCA generates primes that are powers of this, modulo the product of the first primes. */
const rocaGenerator = 65_537;
/** The largest of the 126 primes of a key of 2048 bits. Longer keys have these and more. */
const lastRocaPrime = 701;
let rocaPowers: readonly { readonly prime: number; readonly powers: ReadonlySet<number> }[] | undefined;

/**
 * Whether a modulus has the fingerprint of ROCA (CVE-2017-15361): it is a power of the generator modulo each prime. Another modulus has
 * it by chance less than once in 10^30 keys. The prime 2 is omitted, because every modulus is odd.
 */
export function isRoca(modulus: bigint): boolean {
  rocaPowers ??= smallPrimes
    .filter((prime) => prime > 2 && prime <= lastRocaPrime)
    .map((prime) => ({ prime, powers: powersModulo(prime) }));
  return rocaPowers.every(({ prime, powers }) => powers.has(Number(modulus % BigInt(prime))));
}

function powersModulo(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * rocaGenerator) % prime) powers.add(power);
  return powers;
}
