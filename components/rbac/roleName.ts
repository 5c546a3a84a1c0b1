import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

/**
 * The name of a role; unknown, like its id, until the role exists. A preview of a new binding is a dry run at the API server, which
 * looks the role up to compare its rules with the deployer's rights, and fails if it does not exist yet.
 */
export function roleName(role: k8s.rbac.v1.ClusterRole | k8s.rbac.v1.Role): pulumi.Output<string> {
  return pulumi.all([role.id, role.metadata]).apply(([, metadata]) => metadata.name);
}
