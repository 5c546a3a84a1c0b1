/** RSA keys whose private half can be computed from the public one (ROCA, CVE-2017-15361). Pure. */

/** The library at fault made primes that are powers of this, modulo the product of the first primes. */
const generator = 65_537;
/** Of keys of 2048 bits the first 126 primes; of longer ones these and more. 2 says nothing: every modulus is odd. */
const lastPrime = 701;

/**
 * Whether a modulus has the fingerprint of those keys: a power of the generator modulo every one of the primes. Of other keys not one in
 * 10^30 has it by chance.
 */
export function isRoca(modulus: bigint): boolean {
  return subgroups().every(({ prime, powers }) => powers.has(Number(modulus % BigInt(prime))));
}

interface Subgroup {
  readonly prime: number;
  readonly powers: ReadonlySet<number>;
}

let made: readonly Subgroup[] | undefined;

/** Made when the first key comes. */
function subgroups(): readonly Subgroup[] {
  made ??= oddPrimes(lastPrime).map((prime) => ({ prime, powers: powersModulo(prime) }));
  return made;
}

function powersModulo(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * generator) % prime) powers.add(power);
  return powers;
}

function oddPrimes(last: number): number[] {
  const primes: number[] = [];
  for (let number = 3; number <= last; number += 2) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  return primes;
}
