import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { ReviewerRole } from "./rights.ts";

/**
 * The ClusterRole that a reviewer is bound to: the cluster's own `system:auth-delegator`, or one that is made here and
 * lets its holder create TokenReviews, and nothing else.
 */
export function reviewerRole(
  name: string,
  role: ReviewerRole = "tokenreviews",
  opts?: pulumi.CustomResourceOptions,
): pulumi.Input<string> {
  if (role === "auth-delegator") return "system:auth-delegator";
  const made = new k8s.rbac.v1.ClusterRole(
    name,
    { rules: [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }] },
    opts,
  );
  return made.metadata.name;
}
