import type { BearerTokenUser } from "./bearerTokenUser.ts";
import type { ClientCertificate } from "./clientCertificate.ts";
import type { GatewayAccount } from "./gatewayAccount.ts";
import type { RancherKey } from "./rancherKey.ts";
import type { ReviewerToken } from "./reviewerToken.ts";
import type { TokenReviewer } from "./tokenReviewer.ts";

/** What a stack makes, as far as its settings ask for it. */
export interface Flows {
  readonly token?: TokenReviewer;
  readonly certificate?: ClientCertificate;
  readonly rancher?: RancherKey;
  /** No credential: the gateway has its own. */
  readonly gatewayAccount?: GatewayAccount;
  /** By name. */
  readonly users: Readonly<Record<string, BearerTokenUser>>;
}

/** Every credential that the outputs carry, without the credential. */
export function credentialOutputs({ token, certificate, rancher, users }: Flows) {
  const ofUsers = Object.entries(users).map(([name, user]) => [name, tokenFacts(user)] as const);
  return {
    ...(token && { token: tokenFacts(token) }),
    ...(certificate && { certificate: certificateFacts(certificate) }),
    ...(rancher && { rancher: rancherFacts(rancher) }),
    ...Object.fromEntries(ofUsers),
  };
}

function tokenFacts({ token, namespace }: Pick<TokenReviewer, "namespace"> & { readonly token: ReviewerToken }) {
  const { kind, subject, tokenSha256: fingerprint, notBefore, notAfter, renewAfter } = token;
  return { kind, subject, namespace, serial: "", fingerprint, notBefore, notAfter, renewAfter };
}

function certificateFacts({ certificate }: ClientCertificate) {
  const { commonName: subject, serial, fingerprint, notBefore, notAfter, renewAfter } = certificate;
  const { proved, proofNote: note } = certificate;
  return { kind: "Certificate", subject, serial, fingerprint, notBefore, notAfter, renewAfter, proved, note };
}

function rancherFacts({ keyName: subject, keySha256: fingerprint, notAfter }: RancherKey) {
  return { kind: "RancherKey", subject, serial: "", fingerprint, notBefore: "", notAfter, renewAfter: "" };
}
