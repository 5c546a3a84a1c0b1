import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { KubeError } from "../../kubernetes/errors.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import { readRequest, requireOwnKey } from "./csr.ts";
import { requireAllowed } from "./csrRules.ts";

/** A certificate request that the program brings, and for whom. */
export interface SuppliedRequest {
  readonly csrPem: string;
  readonly commonName: string;
  /** Secret. */
  readonly privateKeyPem?: string;
}

/** What makes requests unfit that would otherwise be noticed once their user's binding is made, or at the proof. */
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
      `The request's common name is ${JSON.stringify(request.commonName)}, and rights are to be given to the user ${JSON.stringify(commonName)}.`,
      "Make the request for that user, or set the common name to the request's.",
    );
  } catch (error) {
    if (error instanceof ProviderError || error instanceof KubeError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
