import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { KubeError } from "../../kubernetes/errors.ts";
import { shortestLifetime } from "../../kubernetes/lifetimes.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { CheckFailure, Inputs } from "../protocol/fields.ts";
import type { SignedCertificateInputs } from "./certificateFields.ts";
import { type CertificationRequest, readRequest, requireOwnKey } from "./csr.ts";
import { requireAllowed, signerFailure, usagesFailure } from "./csrRules.ts";

/** The longest lifetime that the API can hold, in seconds. */
const maxLifetime = 2 ** 31 - 1;

/** Checks the inputs without any request. Inputs that are not known yet are skipped. */
export async function checkCertificateInputs({
  known,
  unknown,
}: Inputs<SignedCertificateInputs>): Promise<readonly CheckFailure[]> {
  const failures: CheckFailure[] = [];
  const fail = (property: keyof SignedCertificateInputs, reason: string | undefined) => {
    if (reason !== undefined) failures.push({ property, reason });
  };
  const { signerName = apiServerClientSigner, usages, expirationSeconds, renewBefore, timeoutSeconds } = known;

  fail("signerName", signerFailure(signerName));
  if (usages !== undefined && !unknown.has("usages")) fail("usages", usagesFailure(usages, signerName));
  if (expirationSeconds !== undefined && !(expirationSeconds >= shortestLifetime && expirationSeconds <= maxLifetime)) {
    fail(
      "expirationSeconds",
      `"expirationSeconds" is ${expirationSeconds}. Expected ${shortestLifetime} (10 minutes) to ${maxLifetime}.`,
    );
  }
  if (renewBefore !== undefined && renewBefore < 1)
    fail("renewBefore", `"renewBefore" is ${renewBefore}. Expected 1 or more.`);
  if (renewBefore !== undefined && expirationSeconds !== undefined && renewBefore >= expirationSeconds) {
    fail(
      "renewBefore",
      `"renewBefore" is ${renewBefore}, and the certificate lives for ${expirationSeconds} s: it would be renewed by every up. Expected less.`,
    );
  }
  if (timeoutSeconds !== undefined && timeoutSeconds < 1) {
    fail("timeoutSeconds", `"timeoutSeconds" is ${timeoutSeconds}. Expected 1 or more.`);
  }
  const choices = { approval: ["auto", "external"], proof: ["tokenReview", "self"] } as const;
  for (const name of ["approval", "proof"] as const) {
    const value = known[name];
    if (value !== undefined && !(choices[name] as readonly string[]).includes(value)) {
      fail(
        name,
        `"${name}" is ${JSON.stringify(value)}. Expected ${choices[name].map((choice) => `"${choice}"`).join(" or ")}.`,
      );
    }
  }

  const { csrPem, privateKeyPem } = known;
  if (csrPem === undefined) return failures;
  try {
    const request = await readRequest(csrPem);
    requireAllowed(request, signerName);
    if (privateKeyPem !== undefined) fail("privateKeyPem", keyFailure(request, privateKeyPem));
  } catch (error) {
    fail("csrPem", reasonOf(error));
  }
  return failures;
}

function keyFailure(request: CertificationRequest, privateKeyPem: string): string | undefined {
  try {
    requireOwnKey(request, privateKeyPem);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof ProviderError || error instanceof KubeError) return `${error.code}: ${error.message}`;
  throw error;
}
