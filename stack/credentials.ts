import * as pulumi from "@pulumi/pulumi";
import type { ClientCertificate } from "../components/clientCertificate.ts";
import type { RancherKey } from "../components/resources/rancherKey.ts";
import type { TokenReviewer } from "../components/tokenReviewer.ts";
import { certificateCredentialId, tokenCredentialId } from "./credentialId.ts";
import type { Flows } from "./flows.ts";

/** Facts about every credential in the outputs, by its key there. They contain no secret. */
export function credentialOutputs({ token, certificate, rancher, users }: Flows, version: pulumi.Output<string>) {
  return {
    ...(token && { token: tokenFacts(token) }),
    ...(certificate && { certificate: certificateFacts(certificate, version) }),
    ...(rancher && { rancher: rancherFacts(rancher) }),
    ...Object.fromEntries(Object.entries(users).map(([name, user]) => [name, tokenFacts(user)])),
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

function certificateFacts(client: ClientCertificate, version: pulumi.Output<string>) {
  const { certificate, epoch, previous } = client;
  const { commonName: subject, serial, fingerprint, notBefore, notAfter, renewAfter } = certificate;
  const { proved, proofNote: note } = certificate;
  /** Its name in the cluster's audit log; "" if it has none there. */
  const credentialId = pulumi
    .all([fingerprint, version])
    .apply(([hash, server]) => certificateCredentialId(hash, server));
  /** The certificate and the chain that its signer appended, PEM. Absent if the stack has the private key: `clusterAccess` then has both. */
  const certificatePem = client.privateKeyPem === undefined ? certificate.certificatePem : undefined;
  const facts = { subject, epoch, previous, serial, fingerprint, credentialId, certificatePem };
  return { kind: "Certificate", ...facts, notBefore, notAfter, renewAfter, proved, note };
}

function rancherFacts({ keyName: subject, keySha256: fingerprint, notAfter }: RancherKey) {
  // The cluster's audit log names the credential that the Rancher server uses, not the API key.
  const none = { serial: "", credentialId: "", notBefore: "", renewAfter: "" };
  return { kind: "RancherKey", subject, fingerprint, notAfter, ...none };
}
