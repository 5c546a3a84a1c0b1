import * as k8s from "@pulumi/kubernetes";
import { authConfigOutputs } from "./components/authConfigs.ts";
import { Cluster, TokenReviewer, tokenReviewerNames, tokenReviewerRights } from "./components/index.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
const { kubeconfig, context, namespace, createNamespace, serviceAccountName, bindingName, audience, proveHost } =
  settings;
const reviewerArgs = { namespace, createNamespace, serviceAccountName, bindingName, audience, proveHost };

/** Checked before anything is made, and again on every run. */
const target = new Cluster("cluster", {
  kubeconfig,
  context,
  host: settings.kubernetesHost,
  caPem: settings.kubernetesCa,
  allowLoopback: settings.allowLoopbackHost,
  proveHost,
  rights: tokenReviewerRights({ namespace: namespace ?? "", createNamespace, role: settings.reviewerRole }),
  reservedNames: tokenReviewerNames(reviewerArgs),
});

// Without the identifier a changed address in the kubeconfig would replace everything that is in the cluster.
const provider = new k8s.Provider("cluster", { kubeconfig, context, clusterIdentifier: target.uid });

const reviewer = new TokenReviewer(
  "gateway-token-reviewer",
  { ...reviewerArgs, cluster: target, kubeconfig, context, role: settings.reviewerRole },
  { provider },
);

const outputs = authConfigOutputs(settings, target, reviewer);

/** By flow, then by product: exactly the object that the product's API takes. Secret. */
export const authConfigs = outputs.authConfigs;

/** By product: what a workload passes and mounts to log in. */
export const workloadLogin = outputs.workloadLogin;

/** What every product's auth config is made from. Secret. */
export const clusterAccess = outputs.clusterAccess;

/** Why an auth config is absent, and other things to know. */
export const notes = outputs.notes;

/** The cluster, as it was found. */
export const cluster = {
  host: target.host,
  caFingerprint: target.caFingerprint,
  issuer: reviewer.token.issuer,
  issuerSource: reviewer.token.issuerSource,
  issuerValidation: settings.validateIssuer,
  version: target.version,
  distribution: target.distribution,
  uid: target.uid,
};

/** Every credential that the outputs carry, without the credential. */
export const credentials = {
  token: {
    kind: reviewer.token.kind,
    subject: reviewer.token.subject,
    namespace: reviewer.namespace,
    serial: "",
    fingerprint: reviewer.token.tokenSha256,
    notBefore: reviewer.token.notBefore,
    notAfter: reviewer.token.notAfter,
    renewAfter: "",
  },
};
