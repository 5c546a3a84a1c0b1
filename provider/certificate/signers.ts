import type { KubeClient } from "../../kubernetes/client.ts";
import { apiServerClientSigner, lacksClientSigner } from "../../kubernetes/cluster/signers.ts";
import { ProviderError } from "../protocol/errors.ts";

/**
 * Refuses signers that the cluster's distribution does not have. A request for one would be approved and never signed.
 *
 * @throws ProviderError CERTIFICATE_NO_SIGNER
 */
export function requireSigners(client: KubeClient, distribution: string, signerNames: readonly string[]): void {
  if (!lacksClientSigner(distribution) || !signerNames.includes(apiServerClientSigner)) return;
  throw new ProviderError(
    "CERTIFICATE_NO_SIGNER",
    `The cluster at ${client.connection.server} is EKS, which signs no client certificates: a request for ${apiServerClientSigner} would be approved and never answered (https://docs.aws.amazon.com/eks/latest/userguide/cert-signing.html).`,
    "Use the token flow there: a TokenReviewer, or the settings tokenFlow: true and certificateFlow: false. Or set the name of your own signer.",
  );
}
