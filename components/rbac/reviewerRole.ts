import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { ReviewerRole } from "./deployerPermissions.ts";
import { roleName } from "./roleName.ts";
import type { PolicyRule } from "./rules.ts";

/** The ClusterRoles that a reviewer is bound to, by the suffix that the binding's name gets. */
export type ReviewerRoles = Readonly<Record<string, pulumi.Input<string>>>;

/**
 * What a reviewer may do: by a role that is made here and lets its holder create TokenReviews, besides the further rules
 * and nothing else; or by the cluster's own `system:auth-delegator`, with a role beside it for the further rules.
 */
export function reviewerRoles(
  name: string,
  role: ReviewerRole = "tokenreviews",
  further: readonly PolicyRule[] = [],
  opts?: pulumi.CustomResourceOptions,
): ReviewerRoles {
  const added = further.map(({ apiGroups = [""], resources, verbs }) => ({
    apiGroups: [...apiGroups],
    resources: [...resources],
    verbs: [...verbs],
  }));
  if (role === "tokenreviews") {
    const reviews = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };
    return { "": roleName(new k8s.rbac.v1.ClusterRole(name, { rules: [reviews, ...added] }, opts)) };
  }
  if (added.length === 0) return { "": "system:auth-delegator" };
  const beside = new k8s.rbac.v1.ClusterRole(`${name}-products`, { rules: added }, opts);
  return { "": "system:auth-delegator", "-products": roleName(beside) };
}
