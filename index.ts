import * as k8s from "@pulumi/kubernetes";
import { pushToAkeyless } from "./components/akeylessPush.ts";
import { authConfigOutputs } from "./components/authConfigs.ts";
import { stackAccess } from "./components/clusterAccess.ts";
import { credentialOutputs } from "./components/credentials.ts";
import { Homes } from "./components/homes.ts";
import {
  BearerTokenUser,
  ClientCertificate,
  Cluster,
  GatewayAccount,
  RancherKey,
  TokenReviewer,
  Verifier,
} from "./components/index.ts";
import { certificateRequests, neededRights, requiredObjects, reservedNames } from "./components/needs.ts";
import { readSettings } from "./components/settings.ts";

const settings = readSettings();
const { kubeconfig, context, proveHost, reviewerRole: role, products } = settings;
const { namespace, createNamespace, serviceAccountName, bindingName, audience } = settings;
const reviewerArgs = { namespace, createNamespace, serviceAccountName, bindingName, audience, ...settings.token };

/** Checked before anything is made, and again on every run. */
const target = new Cluster("cluster", {
  kubeconfig,
  context,
  host: settings.kubernetesHost,
  caPem: settings.kubernetesCa,
  caPin: settings.kubernetesCaPin,
  trustOnFirstUse: settings.trustOnFirstUse,
  allowLoopback: settings.allowLoopbackHost,
  proveHost,
  rights: neededRights(settings),
  reservedNames: reservedNames(settings),
  requiredObjects: requiredObjects(settings),
  certificateRequests: certificateRequests(settings),
});

const { allowLoopbackHost: allowLoopback } = settings;
const rancher = settings.rancher
  ? new RancherKey("rancher", { ...settings.rancher, clusterUid: target.uid, allowLoopback, proveHost })
  : undefined;

// Without the identifier a changed address in the kubeconfig would replace everything that is in the cluster.
const where = { kubeconfig, context, clusterIdentifier: target.uid };
const provider = new k8s.Provider("cluster", where, { dependsOn: rancher ? [rancher] : [] });
const access = { cluster: target, kubeconfig, context, proveHost, role, products };

const reviewer = settings.tokenFlow
  ? new TokenReviewer("gateway-token-reviewer", { ...access, ...reviewerArgs }, { provider })
  : undefined;

const client = settings.certificateFlow
  ? new ClientCertificate("gateway-client-certificate", { ...access, ...settings.certificate }, { provider })
  : undefined;

const homes = new Homes();
homes.add(namespace, reviewer);

const { verifier: wanted } = settings;
const asked = wanted
  ? new Verifier("verifier", { cluster: target, ...wanted, namespace: homes.of(wanted.namespace) }, { provider })
  : undefined;
homes.add(wanted?.namespace, asked);

const users = Object.fromEntries(
  Object.entries(settings.bearerTokenUsers).map(([name, user]) => [
    name,
    new BearerTokenUser(name, { ...access, ...user, namespace: homes.of(user.namespace) }, { provider }),
  ]),
);

const gatewayAccount = settings.akeyless.gatewayAccount
  ? new GatewayAccount("gateway-account", { ...settings.akeyless.gatewayAccount, role }, { provider })
  : undefined;

const flows = { token: reviewer, certificate: client, rancher, gatewayAccount, users };

const gatewayAccess = stackAccess(settings, target, flows);

/** With `akeylessPush`: auth method, auth configs and what belongs to them, at the gateway. */
const akeyless = pushToAkeyless(settings, gatewayAccess, rancher ? [target, rancher] : [target]);

const outputs = authConfigOutputs(settings, gatewayAccess, flows, akeyless);

/** By flow, then by product: exactly the object that the product's API takes. Secret. */
export const authConfigs = outputs.authConfigs;

/** By flow, and by name of a user: for whatever reads kubeconfigs. Secret. */
export const kubeconfigs = outputs.kubeconfigs;

/** What every product's auth config is made from. Secret. */
export const clusterAccess = outputs.clusterAccess;

/** By product: what a workload passes and mounts to log in. */
export const workloadLogin = outputs.workloadLogin;

/** Whom services ask who their callers are; by audience what a caller mounts. Empty without a verifier. */
export const verifier = asked
  ? { url: asked.url, mode: asked.mode, image: asked.image, namespace: asked.namespace, callers: asked.callers }
  : {};

/** Why an auth config is absent, and other things to know. */
export const notes = outputs.notes;

/** The cluster, as it was found. */
export const cluster = {
  host: target.host,
  caFingerprint: target.caFingerprint,
  caSource: target.caSource,
  issuer: reviewer?.token.issuer ?? target.issuer,
  issuerSource: reviewer?.token.issuerSource ?? "discovery",
  issuerValidation: settings.validateIssuer,
  version: target.version,
  distribution: target.distribution,
  uid: target.uid,
};

/** By name: where a bearer-token user may do what. */
export const bearerTokenUsers = outputs.bearerTokenUsers;

/** Every credential that the outputs carry, without the credential. */
export const credentials = credentialOutputs(flows);
