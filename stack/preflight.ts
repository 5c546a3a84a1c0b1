import { bearerTokenUserNames } from "../components/bearerTokenUser.ts";
import type { ClusterArgs, PlannedObject, ReservedName, Right, SuppliedRequest } from "../components/cluster.ts";
import { gatewayAccountObjects } from "../components/gatewayAccount.ts";
import { withStackLabels } from "../components/labels.ts";
import { needsCa } from "../components/products.ts";
import {
  bearerTokenUserRights,
  clientCertificateRights,
  clientSigner,
  gatewayAccountRights,
  tokenReviewerRights,
} from "../components/rbac/deployerPermissions.ts";
import { rbacGroup } from "../components/rbac/rules.ts";
import { defaultUserTokenMode } from "../components/resources/reviewerToken.ts";
import { accountObjects } from "../components/resources/tokenSecret.ts";
import { tokenReviewerNames } from "../components/tokenReviewer.ts";
import { verifierNames, verifierObjects } from "../components/verifier/objects.ts";
import { verifierRights } from "../components/verifier/permissions.ts";
import type { Settings } from "./settings/index.ts";

/** Arguments of the checks of a stack's cluster. The checks run in every run, before anything is created. */
export function clusterArgs(settings: Settings): ClusterArgs {
  const { tokenFlow, certificateFlow, products } = settings;
  return {
    host: settings.kubernetesHost,
    caPem: settings.kubernetesCa,
    caPin: settings.kubernetesCaPin,
    trustOnFirstUse: settings.trustOnFirstUse,
    allowLoopback: settings.allowLoopbackHost,
    proveHost: settings.proveHost,
    caRequiredBy: tokenFlow ? products.filter(needsCa) : [],
    signerNames: certificateFlow ? [clientSigner] : [],
    rights: deployerRights(settings),
    reservedNames: reservedNames(settings),
    requiredObjects: requiredObjects(settings),
    plannedObjects: plannedObjects(settings),
    certificateRequests: certificateRequests(settings),
  };
}

/** Permissions that the deployer needs. */
export function deployerRights(settings: Settings): Right[] {
  const { reviewerRole: role, certificate, products } = settings;
  return [
    ...(settings.tokenFlow ? tokenReviewerRights({ ...settings, ...settings.token, role }) : []),
    ...(settings.certificateFlow
      ? clientCertificateRights({ role, products, approve: certificate.approval === "auto" })
      : []),
    ...Object.entries(settings.bearerTokenUsers).flatMap(([serviceAccountName, user]) =>
      bearerTokenUserRights({ ...user, serviceAccountName }),
    ),
    ...(settings.akeyless.gatewayAccount ? gatewayAccountRights(role) : []),
    ...(settings.verifier ? verifierRights(settings.verifier) : []),
  ];
}

/** Objects with fixed names that the stack creates. The names must be free. */
export function reservedNames(settings: Settings): ReservedName[] {
  return [
    ...(settings.tokenFlow ? tokenReviewerNames({ ...settings, ...settings.token }) : []),
    ...Object.entries(settings.bearerTokenUsers).flatMap(([name, user]) => bearerTokenUserNames(name, user)),
    ...(settings.verifier ? verifierNames("verifier", settings.verifier) : []),
  ];
}

/** Objects that must exist: namespaces that the stack does not create, ClusterRoles, and the gateway's ServiceAccount. */
function requiredObjects(settings: Settings): ReservedName[] {
  const { bearerTokenUsers, akeyless } = settings;
  const roles = Object.values(bearerTokenUsers).flatMap(({ clusterRole }) => (clusterRole ? [clusterRole] : []));
  return [
    ...[...existingNamespaces(settings)].map((name) => ({ apiVersion: "v1", kind: "Namespace", name })),
    ...[...new Set(roles)].map((name) => ({ apiVersion: `${rbacGroup}/v1`, kind: "ClusterRole", name })),
    ...(akeyless.gatewayAccount ? gatewayAccountObjects(akeyless.gatewayAccount) : []),
  ];
}

/** Namespaces that the settings name and the stack does not create. */
function existingNamespaces({
  tokenFlow,
  namespace,
  createNamespace,
  verifier,
  bearerTokenUsers,
}: Settings): Set<string> {
  const reviewer = tokenFlow ? [{ namespace, createNamespace }] : [];
  const components = [...reviewer, ...Object.values(bearerTokenUsers), ...(verifier ? [verifier] : [])];
  const created = new Set(components.flatMap(({ createNamespace, namespace }) => (createNamespace ? [namespace] : [])));
  const named = components.flatMap(({ namespace }) => (namespace ? [namespace] : []));
  return new Set(named.filter((name) => !created.has(name)));
}

/** Objects that the stack creates in existing namespaces. A dry run shows whether the cluster accepts them. */
function plannedObjects(settings: Settings): PlannedObject[] {
  const { tokenFlow, namespace = "", serviceAccountName, token, bearerTokenUsers, verifier } = settings;
  const existing = existingNamespaces(settings);
  const users = Object.entries(bearerTokenUsers).map(([name, user]) => ({
    ...user,
    serviceAccountName: name,
    tokenMode: user.tokenMode ?? defaultUserTokenMode,
  }));
  const objects = [
    ...(tokenFlow ? accountObjects({ namespace, serviceAccountName, ...token }) : []),
    ...users.flatMap(accountObjects),
    ...(verifier ? verifierObjects("verifier", { ...verifier, namespace: verifier.namespace ?? "" }) : []),
  ];
  return objects.filter(({ metadata }) => existing.has(metadata.namespace)).map((object) => withStackLabels(object));
}

/** The certificate request of the settings, if there is one. */
function certificateRequests({ certificateFlow, certificate }: Settings): SuppliedRequest[] {
  const { csrPem, commonName, privateKeyPem } = certificate;
  return certificateFlow && csrPem ? [{ csrPem, commonName, privateKeyPem }] : [];
}
