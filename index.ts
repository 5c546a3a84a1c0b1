import "./stack/sdkLog.ts";
import "./stack/stackTraces.ts";
import * as k8s from "@pulumi/kubernetes";
import {
  BearerTokenUser,
  ClientCertificate,
  Cluster,
  GatewayAccount,
  Provider,
  RancherKey,
  TokenReviewer,
  Verifier,
} from "./components/index.ts";
import { pushToAkeyless } from "./stack/akeylessPush.ts";
import { authConfigOutputs } from "./stack/authConfigs.ts";
import { stackAccess } from "./stack/clusterAccess.ts";
import { credentialOutputs } from "./stack/credentials.ts";
import { kubernetesDeployer } from "./stack/deployer.ts";
import { guardDestroy } from "./stack/destroyGuard.ts";
import { Homes } from "./stack/namespaces.ts";
import {
  caRequiredBy,
  certificateRequests,
  neededRights,
  plannedObjects,
  requiredObjects,
  reservedNames,
  signerNames,
} from "./stack/preflight.ts";
import { loadSettings } from "./stack/settings/index.ts";
import { inputNames } from "./stack/settings/schema.ts";

const settings = await loadSettings();
const { kubeconfig, context, offline, proveHost, reviewerRole: role, products } = settings;
const { namespace, createNamespace, serviceAccountName, bindingName, audience } = settings;
const reviewerArgs = { namespace, createNamespace, serviceAccountName, bindingName, audience, ...settings.token };

/** The deployer. `refresh` and `destroy` with --run-program use its current credentials. */
const provider = new Provider("cluster", { kubeconfig, context, offline, inputNames });

/** Checked before anything is made, and again on every run. */
const checks = {
  host: settings.kubernetesHost,
  caPem: settings.kubernetesCa,
  caPin: settings.kubernetesCaPin,
  trustOnFirstUse: settings.trustOnFirstUse,
  allowLoopback: settings.allowLoopbackHost,
  proveHost,
  caRequiredBy: caRequiredBy(settings),
  signerNames: signerNames(settings),
  rights: neededRights(settings),
  reservedNames: reservedNames(settings),
  requiredObjects: requiredObjects(settings),
  plannedObjects: plannedObjects(settings),
  certificateRequests: certificateRequests(settings),
};
const target = new Cluster("cluster", checks, { provider });

const { allowLoopbackHost: allowLoopback } = settings;
const rancher = settings.rancher
  ? new RancherKey("rancher", { ...settings.rancher, clusterUid: target.uid, allowLoopback, proveHost }, { provider })
  : undefined;

// Without the identifier a changed address in the kubeconfig would replace everything that is in the cluster.
const where = { ...kubernetesDeployer(settings), clusterIdentifier: target.uid };
const kubernetes = new k8s.Provider("cluster", where, { dependsOn: rancher ? [rancher] : [] });
const inCluster = { providers: [kubernetes, provider] };
const protectedInCluster = { ...inCluster, protect: settings.protect };
const access = { cluster: target, proveHost, role, products };

const reviewer = settings.tokenFlow
  ? new TokenReviewer("gateway-token-reviewer", { ...access, ...reviewerArgs }, protectedInCluster)
  : undefined;

const client = settings.certificateFlow
  ? new ClientCertificate("gateway-client-certificate", { ...access, ...settings.certificate }, protectedInCluster)
  : undefined;

const homes = new Homes();
homes.add(namespace, reviewer);

const { verifier: wanted } = settings;
const asked = wanted
  ? new Verifier("verifier", { cluster: target, ...wanted, namespace: homes.of(wanted.namespace) }, inCluster)
  : undefined;
homes.add(wanted?.namespace, asked);

const users = Object.fromEntries(
  Object.entries(settings.bearerTokenUsers).map(([name, user]) => [
    name,
    new BearerTokenUser(name, { ...access, ...user, namespace: homes.of(user.namespace) }, inCluster),
  ]),
);

const gatewayAccount = settings.akeyless.gatewayAccount
  ? new GatewayAccount("gateway-account", { ...settings.akeyless.gatewayAccount, role }, protectedInCluster)
  : undefined;

const flows = { token: reviewer, certificate: client, rancher, gatewayAccount, users };

const gatewayAccess = stackAccess(settings, target, flows);

/** With `akeylessPush`: auth method, auth configs and what belongs to them, at the gateway. */
const akeyless = pushToAkeyless(settings, gatewayAccess, {
  dependsOn: rancher ? [target, rancher] : [target],
  providers: [provider],
});

const created = [target, rancher, reviewer, client, asked, ...Object.values(users), gatewayAccount, akeyless];
if (settings.protect !== undefined) guardDestroy(settings.protect, created);

const outputs = authConfigOutputs(settings, gatewayAccess, flows, akeyless);

/** By flow, then by product: the object that the product's API accepts. Secret. */
export const authConfigs = outputs.authConfigs;

/** By flow and by user: for SPIRE, kubectl and other programs that read kubeconfigs. Secret. */
export const kubeconfigs = outputs.kubeconfigs;

/** The neutral core of all auth configs: host, CA, issuer, audience, token, certificate and key. Secret. */
export const clusterAccess = outputs.clusterAccess;

/** By product: the parameters and the volume with which a workload logs in. */
export const workloadLogin = outputs.workloadLogin;

/** URL, mode, image and namespace of the verifier, and by audience the volume of a caller. Empty without a verifier. */
export const verifier = asked
  ? { url: asked.url, mode: asked.mode, image: asked.image, namespace: asked.namespace, callers: asked.callers }
  : {};

/** Why an auth config is absent, and what to know about the others. */
export const notes = outputs.notes;

/** The cluster: host, CA fingerprint, issuer and its source, version, distribution. */
export const cluster = {
  host: target.host,
  caFingerprint: target.caFingerprint,
  caSource: target.caSource,
  issuer: reviewer?.token.issuer ?? target.issuer,
  issuerSource: reviewer?.token.issuerSource ?? "discovery",
  /** Whether the gateway compares the issuer of a token. */
  issuerValidation: settings.validateIssuer,
  version: target.version,
  distribution: target.distribution,
  uid: target.uid,
};

/** By user: namespace, scope and rules. */
export const bearerTokenUsers = outputs.bearerTokenUsers;

/** By credential: kind, subject, epoch, fingerprint, dates, name in the audit log, and the previous epochs that still work. */
export const credentials = credentialOutputs(flows, target.version);
