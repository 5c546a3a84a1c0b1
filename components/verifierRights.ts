import { all, manage, type Right, rbac } from "./rights.ts";
import { discoveryPaths, type VerifierMode } from "./verifierManifests.ts";

/** What a Verifier takes: workloads in its namespace, and a role with the rights of its mode. */
export function verifierRights(options: {
  readonly namespace?: string;
  readonly createNamespace: boolean;
  readonly mode: VerifierMode;
}): Right[] {
  const { namespace, createNamespace, mode } = options;
  const within = (group: string, resource: string) => all(manage, { group, resource, namespace });
  return [
    ...(createNamespace ? all(manage, { group: "", resource: "namespaces" }) : []),
    ...["serviceaccounts", "configmaps", "services"].flatMap((resource) => within("", resource)),
    ...within("apps", "deployments"),
    ...within("policy", "poddisruptionbudgets"),
    ...within("networking.k8s.io", "networkpolicies"),
    ...(mode === "jwt-pubkey"
      ? []
      : ["clusterroles", "clusterrolebindings"].flatMap((resource) => all(manage, { group: rbac, resource }))),
    // Nobody may give a right that they do not have themselves (RBAC escalation prevention).
    ...(mode === "hybrid" || mode === "tokenreview"
      ? [{ verb: "create", group: "authentication.k8s.io", resource: "tokenreviews" }]
      : []),
    ...(mode === "hybrid" || mode === "oidc-discovery"
      ? discoveryPaths.map((nonResourcePath) => ({ verb: "get", nonResourcePath }))
      : []),
  ];
}
