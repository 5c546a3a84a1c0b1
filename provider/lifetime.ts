/** Validity of a credential. */
export interface Lifetime {
  readonly notAfter: Date;
  /** When it was issued, by the API server's clock. `notBefore` may be earlier: signers allow for clocks that are slow. */
  readonly issuedAt: Date;
}

/**
 * The date from which an `up` renews a credential: `renewBefore` seconds before its expiry, or after two thirds of its lifetime if `renewBefore`
 * is unset or not shorter than the lifetime. Whole seconds.
 */
export function renewalDate({ notAfter, issuedAt }: Lifetime, renewBefore: number | undefined): Date {
  const lifeMs = notAfter.getTime() - issuedAt.getTime();
  const askedMs = (renewBefore ?? Number.POSITIVE_INFINITY) * 1000;
  // A credential with a shorter lifetime than `renewBefore` would be renewed by every run.
  const beforeMs = askedMs < lifeMs ? askedMs : lifeMs / 3;
  return new Date(Math.floor((notAfter.getTime() - beforeMs) / 1000) * 1000);
}

/** A date in UTC to the second ("2026-11-22T14:00:00Z"). */
export function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
