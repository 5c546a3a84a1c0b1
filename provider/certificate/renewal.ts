/** Decides whether a certificate is due for renewal. `diff` of signedCertificate.ts replaces it then. */

import { dueReason, warnOfExpired } from "../lifetime.ts";
import type { Context } from "../protocol/resource.ts";
import type { SignedCertificateOutputs } from "./certificateFields.ts";

/** Whether a certificate has expired at a time. */
export function hasExpired({ notAfter = "" }: Partial<SignedCertificateOutputs>, now: Date): boolean {
  return !(now < new Date(notAfter));
}

/** Logs that a certificate has expired. */
export function warnOfExpiredCertificate(outputs: Partial<SignedCertificateOutputs>, { log }: Context): void {
  warnOfExpired(nameOf(outputs), outputs.notAfter, log);
}

function nameOf({ commonName }: Partial<SignedCertificateOutputs>): string {
  return `The certificate of "${commonName}"`;
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
  const reason = dueReason(nameOf(outputs), outputs, renewBefore, now, context.log);
  if (reason === undefined) return [];
  return reason === "expired" ? ["renewAfter", "notAfter"] : ["renewAfter"];
}
