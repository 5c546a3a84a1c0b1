import type { Right } from "../cluster.ts";
import { all, manage, rbac } from "../rbac/deployerPermissions.ts";
import { discoveryPaths, type VerifierMode } from "./manifests.ts";

/** What a Verifier takes: workloads in its namespace, and a role with the rights of its mode. */
export function verifierRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly mode: VerifierMode;
  readonly maxReplicas?: number;
}): Right[] {
  const { namespace, createNamespace, mode, maxReplicas } = options;
  const within = (group: string, resource: string) => all(manage, { group, resource, namespace });
  const watched = (group: string, resource: string) => all(["list", "watch"], { group, resource, namespace });
  return [
    ...(createNamespace ? all(manage, { group: "", resource: "namespaces" }) : []),
    ...["serviceaccounts", "configmaps", "services"].flatMap((resource) => within("", resource)),
    ...within("apps", "deployments"),
    // What the Kubernetes plugin looks at until the Deployment is ready.
    ...["pods", "persistentvolumeclaims"].flatMap((resource) => watched("", resource)),
    ...watched("apps", "replicasets"),
    ...within("policy", "poddisruptionbudgets"),
    ...within("networking.k8s.io", "networkpolicies"),
    ...(maxReplicas === undefined ? [] : within("autoscaling", "horizontalpodautoscalers")),
    ...(mode === "jwt-pubkey"
      ? []
      : ["clusterroles", "clusterrolebindings"].flatMap((resource) => all(manage, { group: rbac, resource }))),
    // A user can grant only permissions that it has itself (RBAC escalation prevention).
    ...(mode === "hybrid" || mode === "tokenreview"
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : []),
    ...(mode === "hybrid" || mode === "oidc-discovery"
      ? discoveryPaths.map((nonResourcePath) => ({ verb: "get", nonResourcePath }))
      : []),
  ];
}
