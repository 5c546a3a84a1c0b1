import type { Right } from "../cluster.ts";
import { manageRights, withVerbs } from "../rbac/deployerPermissions.ts";
import { rbacGroup } from "../rbac/rules.ts";
import { discoveryPaths, type VerifierMode } from "./manifests.ts";

/** Permissions to create, change and delete a Verifier: its objects, and a role with the permissions of its mode. */
export function verifierRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly mode: VerifierMode;
  readonly maxReplicas?: number;
}): Right[] {
  const { namespace, createNamespace, mode, maxReplicas } = options;
  const within = (group: string, resource: string) => manageRights({ group, resource, namespace });
  const watched = (group: string, resource: string) => withVerbs(["list", "watch"], { group, resource, namespace });
  return [
    ...(createNamespace ? manageRights({ group: "", resource: "namespaces" }) : []),
    ...["serviceaccounts", "configmaps", "services"].flatMap((resource) => within("", resource)),
    ...within("apps", "deployments"),
    // The Kubernetes plugin watches these until the Deployment is ready.
    ...["pods", "persistentvolumeclaims"].flatMap((resource) => watched("", resource)),
    ...watched("apps", "replicasets"),
    ...within("policy", "poddisruptionbudgets"),
    ...within("networking.k8s.io", "networkpolicies"),
    ...(maxReplicas === undefined ? [] : within("autoscaling", "horizontalpodautoscalers")),
    ...(mode === "jwt-pubkey"
      ? []
      : ["clusterroles", "clusterrolebindings"].flatMap((resource) => manageRights({ group: rbacGroup, resource }))),
    // A user can grant only permissions that it has itself (RBAC escalation prevention).
    ...(mode === "hybrid" || mode === "tokenreview"
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : []),
    ...(mode === "hybrid" || mode === "oidc-discovery"
      ? discoveryPaths.map((nonResourcePath) => ({ verb: "get", nonResourcePath }))
      : []),
  ];
}
