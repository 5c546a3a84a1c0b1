import type { Log } from "./protocol/operation.ts";

/** Validity of a credential. */
export interface Lifetime {
  readonly notAfter: Date;
  /** When it was issued, by the API server's clock. `notBefore` may be earlier: signers allow for clocks that are slow. */
  readonly issuedAt: Date;
}

/** Validity of a credential in the state: RFC 3339. */
type LifetimeText = { readonly [Date in keyof Lifetime]: string };

/** The dates of a credential in the state. */
export function lifetimeOf({ notAfter, issuedAt }: LifetimeText): Lifetime {
  return { notAfter: new Date(notAfter), issuedAt: new Date(issuedAt) };
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

/** Logs that a credential has expired. @param whose the credential, as the subject of a sentence */
export function warnOfExpired(whose: string, notAfter: string | undefined, log: Log): void {
  log.warn(`${whose} expired on ${notAfter}. The API server refuses it.`);
}

/** Why a credential must be renewed at a time; undefined if it need not. Logs it. @param whose the credential, as the subject of a sentence */
export function dueReason(
  whose: string,
  dates: LifetimeText,
  renewBefore: number | undefined,
  now: Date,
  log: Log,
): "due" | "expired" | undefined {
  const life = lifetimeOf(dates);
  if (!(now < life.notAfter)) {
    warnOfExpired(whose, dates.notAfter, log);
    return "expired";
  }
  const renewAfter = renewalDate(life, renewBefore);
  if (now < renewAfter) return undefined;
  log.info(`${whose} is due for renewal since ${rfc3339(renewAfter)}; it is valid until ${dates.notAfter}.`);
  return "due";
}
