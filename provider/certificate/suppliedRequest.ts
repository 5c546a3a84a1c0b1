import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { KubeError } from "../../kubernetes/errors.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import { readRequest, requireOwnKey } from "./csr.ts";
import { requireAllowed } from "./csrRules.ts";

/** A certificate request that the program supplies, and its user. */
export interface SuppliedRequest {
  readonly csrPem: string;
  readonly commonName: string;
  /** Secret. */
  readonly privateKeyPem?: string;
}

/** Checks supplied requests before anything is created. Otherwise they would fail after the creation of their user's binding. */
export async function requestFailures(requests: readonly SuppliedRequest[]): Promise<CheckFailure[]> {
  const reasons = await Promise.all(requests.map(reasonAgainst));
  return reasons.flatMap((reason) => (reason === undefined ? [] : [{ property: "certificateRequests", reason }]));
}

async function reasonAgainst({ csrPem, commonName, privateKeyPem }: SuppliedRequest): Promise<string | undefined> {
  try {
    const request = await readRequest(csrPem);
    requireAllowed(request, apiServerClientSigner);
    if (privateKeyPem !== undefined) requireOwnKey(request, privateKeyPem);
    if (request.commonName === commonName) return undefined;
    throw new ProviderError(
      "CSR_SUBJECT_REFUSED",
      `The request's common name is ${JSON.stringify(request.commonName)}, and the rights are for the user ${JSON.stringify(commonName)}.`,
      "Create the request for that user, or set the common name to that of the request.",
    );
  } catch (error) {
    if (error instanceof ProviderError || error instanceof KubeError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
