import type { Context } from "../protocol/resource.ts";
import type { SignedCertificateOutputs } from "./certificateFields.ts";
import { rfc3339 } from "./issuedCertificate.ts";

/** Dates of a certificate that decide about its renewal. */
export interface Lifetime {
  readonly notAfter: Date;
  /** When it was signed, by the API server's clock. `notBefore` may be earlier: signers allow for clocks that are slow. */
  readonly issuedAt: Date;
}

/** The dates of a certificate in the state. */
export function lifetimeOf({ notAfter, issuedAt }: Pick<SignedCertificateOutputs, "notAfter" | "issuedAt">): Lifetime {
  return { notAfter: new Date(notAfter), issuedAt: new Date(issuedAt) };
}

/** The date of renewal: `renewBefore` seconds before the expiry, or after two thirds of the lifetime. */
export function renewalDate({ notAfter, issuedAt }: Lifetime, renewBefore: number | undefined): Date {
  const lifeMs = notAfter.getTime() - issuedAt.getTime();
  const askedMs = (renewBefore ?? Number.POSITIVE_INFINITY) * 1000;
  // A certificate with a shorter lifetime than `renewBefore` would be renewed by every run.
  const beforeMs = askedMs < lifeMs ? askedMs : lifeMs / 3;
  return new Date(Math.floor((notAfter.getTime() - beforeMs) / 1000) * 1000);
}

/** Whether a certificate has expired at a time. */
export function hasExpired({ notAfter = "" }: Partial<SignedCertificateOutputs>, now: Date): boolean {
  return !(now < new Date(notAfter));
}

/** Logs that a certificate has expired. */
export function warnOfExpiry({ commonName, notAfter }: Partial<SignedCertificateOutputs>, { log }: Context): void {
  log.warn(`The certificate of "${commonName}" expired on ${notAfter}. The API server refuses it.`);
}

/** The outputs that make a certificate due for renewal at a time; none if it is not due. Logs the date since which it is due. */
export function dueProperties(
  outputs: SignedCertificateOutputs,
  renewBefore: number | undefined,
  now: Date,
  context: Context,
): readonly ("renewAfter" | "notAfter")[] {
  if (hasExpired(outputs, now)) {
    warnOfExpiry(outputs, context);
    return ["renewAfter", "notAfter"];
  }
  const renewAfter = renewalDate(lifetimeOf(outputs), renewBefore);
  if (now < renewAfter) return [];
  context.log.info(
    `The certificate of "${outputs.commonName}" is due for renewal since ${rfc3339(renewAfter)}; it is valid until ${outputs.notAfter}.`,
  );
  return ["renewAfter"];
}
