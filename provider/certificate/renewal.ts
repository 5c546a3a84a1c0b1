/** Decides whether a certificate is due for renewal. `diff` of signedCertificate.ts replaces it then. */

import { type Lifetime, renewalDate, rfc3339 } from "../lifetime.ts";
import type { Context } from "../protocol/resource.ts";
import type { SignedCertificateOutputs } from "./certificateFields.ts";

/** The dates of a certificate in the state. */
export function lifetimeOf({ notAfter, issuedAt }: Pick<SignedCertificateOutputs, "notAfter" | "issuedAt">): Lifetime {
  return { notAfter: new Date(notAfter), issuedAt: new Date(issuedAt) };
}

/** Whether a certificate has expired at a time. */
export function hasExpired({ notAfter = "" }: Partial<SignedCertificateOutputs>, now: Date): boolean {
  return !(now < new Date(notAfter));
}

/** Logs that a certificate has expired. */
export function warnOfExpired({ commonName, notAfter }: Partial<SignedCertificateOutputs>, { log }: Context): void {
  log.warn(`The certificate of "${commonName}" expired on ${notAfter}. The API server refuses it.`);
}

/**
 * The outputs that Pulumi shows as the reason of a replacement: `renewAfter` if the certificate is due for renewal at a time, also `notAfter` if
 * it has expired, none if it is not due. Logs since when.
 */
export function dueProperties(
  outputs: SignedCertificateOutputs,
  renewBefore: number | undefined,
  now: Date,
  context: Context,
): readonly ("renewAfter" | "notAfter")[] {
  if (hasExpired(outputs, now)) {
    warnOfExpired(outputs, context);
    return ["renewAfter", "notAfter"];
  }
  const renewAfter = renewalDate(lifetimeOf(outputs), renewBefore);
  if (now < renewAfter) return [];
  context.log.info(
    `The certificate of "${outputs.commonName}" is due for renewal since ${rfc3339(renewAfter)}; it is valid until ${outputs.notAfter}.`,
  );
  return ["renewAfter"];
}
