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
import { kubernetesProviderArgs } from "./stack/deployer.ts";
import { guardDestroy } from "./stack/destroyGuard.ts";
import { NamespaceOwners } from "./stack/namespaces.ts";
import { noteOutputs } from "./stack/notes.ts";
import {
  bearerTokenUserOutputs,
  clusterAccessOutput,
  clusterOutputs,
  kubeconfigOutputs,
  verifierOutputs,
  workloadLoginOutputs,
} from "./stack/outputs.ts";
import { clusterArgs } from "./stack/preflight.ts";
import { loadSettings } from "./stack/settings/index.ts";
import { inputNames } from "./stack/settings/schema.ts";

const settings = await loadSettings();
const { kubeconfig, context, offline, proveHost, allowLoopbackHost: allowLoopback } = settings;

// `refresh` and `destroy` with --run-program use the deployer's current credentials.
const deployer = new Provider("cluster", { kubeconfig, context, offline, inputNames });

const checkedCluster = new Cluster("cluster", clusterArgs(settings), { provider: deployer });

const rancher = settings.rancher
  ? new RancherKey(
      "rancher",
      { ...settings.rancher, clusterUid: checkedCluster.uid, allowLoopback, proveHost },
      { provider: deployer },
    )
  : undefined;

const kubernetes = new k8s.Provider(
  "cluster",
  // Without the identifier, another server in the kubeconfig would replace all objects.
  { ...kubernetesProviderArgs(settings), clusterIdentifier: checkedCluster.uid },
  { dependsOn: rancher ? [rancher] : [] },
);
const inCluster = { providers: [kubernetes, deployer] };
const protectedInCluster = { ...inCluster, protect: settings.protect };

const {
  namespace,
  createNamespace,
  serviceAccountName,
  bindingName,
  audience,
  reviewerRole: role,
  products,
} = settings;
const access = { cluster: checkedCluster, proveHost, role, products };

const reviewer = settings.tokenFlow
  ? new TokenReviewer(
      "gateway-token-reviewer",
      { ...access, namespace, createNamespace, serviceAccountName, bindingName, audience, ...settings.token },
      protectedInCluster,
    )
  : undefined;

const client = settings.certificateFlow
  ? new ClientCertificate("gateway-client-certificate", { ...access, ...settings.certificate }, protectedInCluster)
  : undefined;

const gatewayAccount = settings.akeyless.gatewayAccount
  ? new GatewayAccount("gateway-account", { ...settings.akeyless.gatewayAccount, role }, protectedInCluster)
  : undefined;

const namespaces = new NamespaceOwners();
namespaces.register(namespace, reviewer);

const verifierService = settings.verifier
  ? new Verifier(
      "verifier",
      { cluster: checkedCluster, ...settings.verifier, namespace: namespaces.nameOf(settings.verifier.namespace) },
      inCluster,
    )
  : undefined;
namespaces.register(settings.verifier?.namespace, verifierService);

const users = Object.fromEntries(
  Object.entries(settings.bearerTokenUsers).map(([name, user]) => [
    name,
    new BearerTokenUser(name, { ...access, ...user, namespace: namespaces.nameOf(user.namespace) }, inCluster),
  ]),
);

const flows = { token: reviewer, certificate: client, rancher, gatewayAccount, users };
const gatewayAccess = stackAccess(settings, checkedCluster, flows);

const akeyless = pushToAkeyless(settings, gatewayAccess, {
  dependsOn: rancher ? [checkedCluster, rancher] : [checkedCluster],
  providers: [deployer],
});

if (settings.protect !== undefined) {
  const created = [checkedCluster, rancher, reviewer, client, verifierService, ...Object.values(users)];
  guardDestroy(settings.protect, [...created, gatewayAccount, akeyless]);
}

/** Auth configs by flow, then by product: the objects that the products' APIs accept. Secret. */
export const authConfigs = authConfigOutputs(settings, gatewayAccess, akeyless);

/** Kubeconfigs by flow and by user, for SPIRE, kubectl and other programs that read kubeconfigs. Secret. */
export const kubeconfigs = kubeconfigOutputs(settings, gatewayAccess, flows);

/** The neutral core of all auth configs: host, CA, issuer, audience, token, certificate and key. Secret. */
export const clusterAccess = clusterAccessOutput(gatewayAccess);

/** How a workload logs in. `token`: the volume for any product. `akeyless`: the parameters of Akeyless, with their volume. */
export const workloadLogin = workloadLoginOutputs(settings, gatewayAccess, akeyless);

/** URL, mode, image and namespace of the verifier, and by audience the volume of a caller. Empty without a verifier. */
export const verifier = verifierService ? verifierOutputs(verifierService) : {};

/** By bearer-token user: namespace, scope, and rules or ClusterRole. */
export const bearerTokenUsers = bearerTokenUserOutputs(settings, flows);

/** The cluster: host, CA fingerprint, issuer and its source, version, distribution. */
export const cluster = clusterOutputs(settings, checkedCluster, flows);

/** By credential: kind, subject, epoch, fingerprint, dates, name in the audit log, and the previous epochs, whose credentials are not renewed. */
export const credentials = credentialOutputs(flows, checkedCluster.version);

/** Reasons for absent outputs of Akeyless and of the certificate flow, and facts to know about expiry, rotation, audience and image. */
export const notes = noteOutputs(settings, gatewayAccess, flows, akeyless !== undefined);
