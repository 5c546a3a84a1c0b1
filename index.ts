import * as k8s from "@pulumi/kubernetes";
import { authConfigOutputs } from "./components/authConfigs.ts";
import {
  ClientCertificate,
  Cluster,
  clientCertificateRights,
  TokenReviewer,
  tokenReviewerNames,
  tokenReviewerRights,
} from "./components/index.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
const { kubeconfig, context, proveHost, reviewerRole: role } = settings;
const { namespace, createNamespace, serviceAccountName, bindingName, audience } = settings;
const reviewerArgs = { namespace, createNamespace, serviceAccountName, bindingName, audience, ...settings.token };

/** Checked before anything is made, and again on every run. */
const target = new Cluster("cluster", {
  kubeconfig,
  context,
  host: settings.kubernetesHost,
  caPem: settings.kubernetesCa,
  allowLoopback: settings.allowLoopbackHost,
  proveHost,
  rights: [
    ...(settings.tokenFlow ? tokenReviewerRights({ namespace, createNamespace, role }) : []),
    ...(settings.certificateFlow
      ? clientCertificateRights({ role, approve: settings.certificate.approval === "auto" })
      : []),
  ],
  reservedNames: settings.tokenFlow ? tokenReviewerNames(reviewerArgs) : [],
});

// Without the identifier a changed address in the kubeconfig would replace everything that is in the cluster.
const provider = new k8s.Provider("cluster", { kubeconfig, context, clusterIdentifier: target.uid });
const access = { cluster: target, kubeconfig, context, proveHost, role };

const reviewer = settings.tokenFlow
  ? new TokenReviewer("gateway-token-reviewer", { ...access, ...reviewerArgs }, { provider })
  : undefined;

const client = settings.certificateFlow
  ? new ClientCertificate("gateway-client-certificate", { ...access, ...settings.certificate }, { provider })
  : undefined;

const outputs = authConfigOutputs(settings, target, { token: reviewer, certificate: client });

/** By flow, then by product: exactly the object that the product's API takes. Secret. */
export const authConfigs = outputs.authConfigs;

/** By flow: for whatever reads kubeconfigs. Secret. */
export const kubeconfigs = outputs.kubeconfigs;

/** What every product's auth config is made from. Secret. */
export const clusterAccess = outputs.clusterAccess;

/** By product: what a workload passes and mounts to log in. */
export const workloadLogin = outputs.workloadLogin;

/** Why an auth config is absent, and other things to know. */
export const notes = outputs.notes;

/** The cluster, as it was found. */
export const cluster = {
  host: target.host,
  caFingerprint: target.caFingerprint,
  issuer: reviewer?.token.issuer ?? target.issuer,
  issuerSource: reviewer?.token.issuerSource ?? "discovery",
  issuerValidation: settings.validateIssuer,
  version: target.version,
  distribution: target.distribution,
  uid: target.uid,
};

/** Every credential that the outputs carry, without the credential. */
export const credentials = {
  ...(reviewer && {
    token: {
      kind: reviewer.token.kind,
      subject: reviewer.token.subject,
      namespace: reviewer.namespace,
      serial: "",
      fingerprint: reviewer.token.tokenSha256,
      notBefore: reviewer.token.notBefore,
      notAfter: reviewer.token.notAfter,
      renewAfter: reviewer.token.renewAfter,
    },
  }),
  ...(client && {
    certificate: {
      kind: "Certificate",
      subject: client.certificate.commonName,
      serial: client.certificate.serial,
      fingerprint: client.certificate.fingerprint,
      notBefore: client.certificate.notBefore,
      notAfter: client.certificate.notAfter,
      renewAfter: client.certificate.renewAfter,
      proved: client.certificate.proved,
      note: client.certificate.proofNote,
    },
  }),
};
