import {
  akeylessAuthMethod,
  akeylessCertificate,
  akeylessGatewayAuthConfig,
  akeylessRole,
  akeylessRoleAssociation,
} from "./akeyless/index.ts";
import { signedCertificate } from "./certificate/signedCertificate.ts";
import { cluster } from "./cluster/cluster.ts";
import type { AnyResource } from "./protocol/resource.ts";
import { rancherKey } from "./rancher/rancherKey.ts";
import { reviewerToken } from "./token/reviewerToken.ts";

/** Every resource type of the plugin. */
export const resources = [
  cluster,
  reviewerToken,
  signedCertificate,
  rancherKey,
  akeylessAuthMethod,
  akeylessGatewayAuthConfig,
  akeylessCertificate,
  akeylessRole,
  akeylessRoleAssociation,
] as unknown as readonly AnyResource[];
