import { bearerTokenUserNames } from "./bearerTokenUser.ts";
import type { ReservedName } from "./cluster.ts";
import { bearerTokenUserRights, clientCertificateRights, type Right, tokenReviewerRights } from "./rights.ts";
import type { Settings } from "./settings.ts";
import { tokenReviewerNames } from "./tokenReviewer.ts";

/** What the deployer must be allowed to do, for all that the settings ask for. */
export function neededRights(settings: Settings): Right[] {
  const { namespace, createNamespace, reviewerRole: role, certificate } = settings;
  return [
    ...(settings.tokenFlow ? tokenReviewerRights({ namespace, createNamespace, role }) : []),
    ...(settings.certificateFlow ? clientCertificateRights({ role, approve: certificate.approval === "auto" }) : []),
    ...Object.entries(settings.bearerTokenUsers).flatMap(([serviceAccountName, user]) =>
      bearerTokenUserRights({ ...user, serviceAccountName }),
    ),
  ];
}

/** Names that must be free, for all that the settings ask for. */
export function reservedNames(settings: Settings): ReservedName[] {
  return [
    ...(settings.tokenFlow ? tokenReviewerNames({ ...settings, ...settings.token }) : []),
    ...Object.entries(settings.bearerTokenUsers).flatMap(([name, user]) => bearerTokenUserNames(name, user)),
  ];
}
