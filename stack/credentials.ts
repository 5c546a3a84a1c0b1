import * as pulumi from "@pulumi/pulumi";
import type { BearerTokenUser } from "../components/bearerTokenUser.ts";
import type { ClientCertificate } from "../components/clientCertificate.ts";
import type { GatewayAccount } from "../components/gatewayAccount.ts";
import type { RancherKey } from "../components/resources/rancherKey.ts";
import type { TokenReviewer } from "../components/tokenReviewer.ts";
import { certificateCredentialId, tokenCredentialId } from "./credentialId.ts";

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

/**
 * Every credential that the outputs carry, without the credential. `credentialId` is its name in the cluster's audit log, "" if it has
 * none there.
 */
export function credentialOutputs({ token, certificate, rancher, users }: Flows, version: pulumi.Output<string>) {
  const ofUsers = Object.entries(users).map(([name, user]) => [name, tokenFacts(user)] as const);
  return {
    ...(token && { token: tokenFacts(token) }),
    ...(certificate && { certificate: certificateFacts(certificate, version) }),
    ...(rancher && { rancher: rancherFacts(rancher) }),
    ...Object.fromEntries(ofUsers),
  };
}

function tokenFacts({ token, namespace, secrets }: Pick<TokenReviewer, "namespace" | "secrets" | "token">) {
  const { kind, subject, tokenSha256: fingerprint, notBefore, notAfter, renewAfter } = token;
  const { epoch, currentName: secret, previous } = secrets;
  /** Its name in the cluster's audit log; "" if it has none there. */
  const credentialId = pulumi.unsecret(token.token.apply(tokenCredentialId));
  const dates = { notBefore, notAfter, renewAfter };
  return { kind, subject, namespace, secret, epoch, previous, serial: "", fingerprint, credentialId, ...dates };
}

function certificateFacts({ certificate, epoch, previous }: ClientCertificate, version: pulumi.Output<string>) {
  const { commonName: subject, serial, fingerprint, notBefore, notAfter, renewAfter } = certificate;
  const { proved, proofNote: note } = certificate;
  /** Its name in the cluster's audit log; "" if it has none there. */
  const credentialId = pulumi.all([fingerprint, version]).apply(([hash, of]) => certificateCredentialId(hash, of));
  const dates = { notBefore, notAfter, renewAfter };
  return { kind: "Certificate", subject, epoch, previous, serial, fingerprint, credentialId, ...dates, proved, note };
}

function rancherFacts({ keyName: subject, keySha256: fingerprint, notAfter }: RancherKey) {
  // The cluster sees Rancher's own credential.
  const none = { serial: "", credentialId: "", notBefore: "", renewAfter: "" };
  return { kind: "RancherKey", subject, fingerprint, notAfter, ...none };
}
