/**
 * Signer of client certificates that the API server accepts.
 *
 * @see https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
 */
export const apiServerClientSigner = "kubernetes.io/kube-apiserver-client";

/**
 * Whether a distribution's controller is known to sign nothing for {@link apiServerClientSigner}. A request is then approved and never signed.
 *
 * @see https://docs.aws.amazon.com/eks/latest/userguide/cert-signing.html
 */
export function lacksClientSigner(distribution: string): boolean {
  return distribution === "EKS";
}
