/**
 * Names of credentials in a cluster's audit log: `user.extra["authentication.kubernetes.io/credential-id"]` of an event, and of a
 * SelfSubjectReview. "" if the log does not name the credential.
 */
import { decodeJwt } from "jose/jwt/decode";
import { numbersOf } from "../kubernetes/cluster/version.ts";

/**
 * `JTI=` and the token's `jti`. The API server writes a `jti` into tokens of TokenRequests since Kubernetes 1.30 (feature
 * ServiceAccountTokenJTI, KEP-4193). The token of a Secret has none: the audit annotation
 * `authentication.k8s.io/legacy-token-manual-secret` (1.29) names its Secret.
 */
export function tokenCredentialId(token: string): string {
  const { jti } = decodeJwt(token);
  return jti === undefined ? "" : `JTI=${jti}`;
}

/**
 * `X509SHA256=` and the SHA-256 of the certificate's DER in hexadecimal (Kubernetes 1.32, kubernetes/kubernetes#125634).
 *
 * @param fingerprint that SHA-256, hexadecimal with colons
 * @param version of the API server, such as `v1.36.3`; "" if it is not known
 */
export function certificateCredentialId(fingerprint: string, version: string): string {
  const [major, minor] = numbersOf(version) ?? [0, 0];
  const known = major > 1 || (major === 1 && minor >= 32);
  return known ? `X509SHA256=${fingerprint.replaceAll(":", "").toLowerCase()}` : "";
}
