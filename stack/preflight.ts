import { bearerTokenUserNames } from "../components/bearerTokenUser.ts";
import type { PlannedObject, ReservedName, Right, SuppliedRequest } from "../components/cluster.ts";
import { gatewayAccountObjects } from "../components/gatewayAccount.ts";
import { withStackLabels } from "../components/labels.ts";
import { needsCa, type Product } from "../components/products.ts";
import {
  bearerTokenUserRights,
  clientCertificateRights,
  clientSigner,
  gatewayAccountRights,
  rbac,
  tokenReviewerRights,
} from "../components/rbac/deployerPermissions.ts";
import { defaultUserTokenMode } from "../components/resources/reviewerToken.ts";
import { accountObjects } from "../components/resources/tokenSecret.ts";
import { tokenReviewerNames } from "../components/tokenReviewer.ts";
import { verifierObjects } from "../components/verifier/objects.ts";
import { verifierRights } from "../components/verifier/permissions.ts";
import { verifierNames } from "../components/verifier/verifier.ts";
import type { Settings } from "./settings/index.ts";

/** What the deployer must be allowed to do, for all that the settings ask for. */
export function neededRights(settings: Settings): Right[] {
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

/** Names that must be free, for all that the settings ask for. */
export function reservedNames(settings: Settings): ReservedName[] {
  return [
    ...(settings.tokenFlow ? tokenReviewerNames({ ...settings, ...settings.token }) : []),
    ...Object.entries(settings.bearerTokenUsers).flatMap(([name, user]) => bearerTokenUserNames(name, user)),
    ...(settings.verifier ? verifierNames("verifier", settings.verifier) : []),
  ];
}

/** What must be there, for all that the settings ask for: namespaces that the stack does not make, and others' objects. */
export function requiredObjects(settings: Settings): ReservedName[] {
  const { bearerTokenUsers, akeyless } = settings;
  const roles = Object.values(bearerTokenUsers).flatMap(({ clusterRole }) => (clusterRole ? [clusterRole] : []));
  return [
    ...[...othersNamespaces(settings)].map((name) => ({ apiVersion: "v1", kind: "Namespace", name })),
    ...[...new Set(roles)].map((name) => ({ apiVersion: `${rbac}/v1`, kind: "ClusterRole", name })),
    ...(akeyless.gatewayAccount ? gatewayAccountObjects(akeyless.gatewayAccount) : []),
  ];
}

/** Namespaces that the settings name and the stack does not make. */
function othersNamespaces({
  tokenFlow,
  namespace,
  createNamespace,
  verifier,
  bearerTokenUsers,
}: Settings): Set<string> {
  const reviewer = tokenFlow ? [{ namespace, createNamespace }] : [];
  const homes = [...reviewer, ...Object.values(bearerTokenUsers), ...(verifier ? [verifier] : [])];
  const made = homes.flatMap(({ namespace, createNamespace }) => (createNamespace && namespace ? [namespace] : []));
  const named = homes.flatMap(({ namespace, createNamespace }) => (!createNamespace && namespace ? [namespace] : []));
  return new Set(named.filter((name) => !made.includes(name)));
}

/** What will be created in namespaces that exist, for a dry run. */
export function plannedObjects(settings: Settings): PlannedObject[] {
  const { tokenFlow, namespace = "", serviceAccountName, token, bearerTokenUsers, verifier } = settings;
  const others = othersNamespaces(settings);
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
  return objects.filter(({ metadata }) => others.has(metadata.namespace)).map((object) => withStackLabels(object));
}

/** Products whose auth configs need a known CA. */
export function caRequiredBy({ tokenFlow, products }: Settings): Product[] {
  return tokenFlow ? products.filter(needsCa) : [];
}

/** Signers that will be asked for certificates. */
export function signerNames({ certificateFlow }: Settings): string[] {
  return certificateFlow ? [clientSigner] : [];
}

/** The certificate request that was brought, for whom, and its key. */
export function certificateRequests({ certificateFlow, certificate }: Settings): SuppliedRequest[] {
  const { csrPem, commonName, privateKeyPem } = certificate;
  return certificateFlow && csrPem ? [{ csrPem, commonName, privateKeyPem }] : [];
}
