import { bearerTokenUserNames } from "./bearerTokenUser.ts";
import type { ReservedName } from "./cluster.ts";
import { bearerTokenUserRights, clientCertificateRights, type Right, tokenReviewerRights } from "./rights.ts";
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
