import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { metadataOf } from "../metadata.ts";
import type { ReviewerRole } from "./deployerPermissions.ts";
import { type PolicyRule, roleRules } from "./rules.ts";

/** Names of the ClusterRoles of a reviewer. Keys are suffixes of the bindings' resource names. */
export type ReviewerRoles = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * The ClusterRoles of a reviewer. `tokenreviews`: a new role with `create tokenreviews` and the further rules. `auth-delegator`: the
 * built-in `system:auth-delegator`, and a new role with the further rules.
 */
export function reviewerRoles(
  name: string,
  role: ReviewerRole = "tokenreviews",
  further: readonly PolicyRule[] = [],
  opts?: pulumi.CustomResourceOptions,
): ReviewerRoles {
  const furtherRules = roleRules(further);
  if (role === "tokenreviews") {
    const reviews = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };
    return { "": metadataOf(new k8s.rbac.v1.ClusterRole(name, { rules: [reviews, ...furtherRules] }, opts)).name };
  }
  if (furtherRules.length === 0) return { "": "system:auth-delegator" };
  const products = new k8s.rbac.v1.ClusterRole(`${name}-products`, { rules: furtherRules }, opts);
  return { "": "system:auth-delegator", "-products": metadataOf(products).name };
}
