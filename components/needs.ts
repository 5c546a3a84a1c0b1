import { bearerTokenUserNames } from "./bearerTokenUser.ts";
import type { BroughtRequest, ReservedName } from "./cluster.ts";
import { gatewayAccountObjects } from "./gatewayAccount.ts";
import {
  bearerTokenUserRights,
  clientCertificateRights,
  gatewayAccountRights,
  type Right,
  rbac,
  tokenReviewerRights,
} from "./rights.ts";
import type { Settings } from "./settings.ts";
import { tokenReviewerNames } from "./tokenReviewer.ts";
import { verifierNames } from "./verifier.ts";
import { verifierRights } from "./verifierRights.ts";

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
  const { tokenFlow, verifier, bearerTokenUsers, akeyless } = settings;
  const users = Object.values(bearerTokenUsers);
  const homes = [...(tokenFlow ? [settings] : []), ...users, ...(verifier ? [verifier] : [])];
  const made = homes.flatMap(({ namespace, createNamespace }) => (createNamespace && namespace ? [namespace] : []));
  const named = homes.flatMap(({ namespace, createNamespace }) => (!createNamespace && namespace ? [namespace] : []));
  const roles = users.flatMap(({ clusterRole }) => (clusterRole ? [clusterRole] : []));
  const others = new Set(named.filter((namespace) => !made.includes(namespace)));
  return [
    ...[...others].map((name) => ({ apiVersion: "v1", kind: "Namespace", name })),
    ...[...new Set(roles)].map((name) => ({ apiVersion: `${rbac}/v1`, kind: "ClusterRole", name })),
    ...(akeyless.gatewayAccount ? gatewayAccountObjects(akeyless.gatewayAccount) : []),
  ];
}

/** The certificate request that was brought, for whom, and its key. */
export function certificateRequests({ certificateFlow, certificate }: Settings): BroughtRequest[] {
  const { csrPem, commonName, privateKeyPem } = certificate;
  return certificateFlow && csrPem ? [{ csrPem, commonName, privateKeyPem }] : [];
}
