import { KubeError } from "./errors.ts";

/** How the API serves a kind. */
export interface ApiResource {
  /** API group; "" is the core group. */
  readonly group: string;
  readonly version: string;
  /** Plural name as paths and roles spell it ("clusterrolebindings"). */
  readonly plural: string;
  readonly namespaced: boolean;
}

const kinds = new Map<string, ApiResource>();

function add(group: string, version: string, namespaced: boolean, names: Readonly<Record<string, string>>): void {
  for (const [kind, plural] of Object.entries(names)) {
    kinds.set(`${apiVersionOf(group, version)} ${kind}`, { group, version, plural, namespaced });
  }
}

add("", "v1", false, { Namespace: "namespaces", Node: "nodes" });
add("", "v1", true, {
  ConfigMap: "configmaps",
  Endpoints: "endpoints",
  Event: "events",
  Pod: "pods",
  Secret: "secrets",
  Service: "services",
  ServiceAccount: "serviceaccounts",
});
add("apps", "v1", true, { DaemonSet: "daemonsets", Deployment: "deployments", StatefulSet: "statefulsets" });
add("authentication.k8s.io", "v1", false, {
  SelfSubjectReview: "selfsubjectreviews",
  TokenReview: "tokenreviews",
});
add("authorization.k8s.io", "v1", false, {
  SelfSubjectAccessReview: "selfsubjectaccessreviews",
  SelfSubjectRulesReview: "selfsubjectrulesreviews",
  SubjectAccessReview: "subjectaccessreviews",
});
add("batch", "v1", true, { CronJob: "cronjobs", Job: "jobs" });
add("certificates.k8s.io", "v1", false, { CertificateSigningRequest: "certificatesigningrequests" });
add("coordination.k8s.io", "v1", true, { Lease: "leases" });
add("networking.k8s.io", "v1", true, { Ingress: "ingresses", NetworkPolicy: "networkpolicies" });
add("autoscaling", "v2", true, { HorizontalPodAutoscaler: "horizontalpodautoscalers" });
add("policy", "v1", true, { PodDisruptionBudget: "poddisruptionbudgets" });
add("rbac.authorization.k8s.io", "v1", false, {
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
});
add("rbac.authorization.k8s.io", "v1", true, { Role: "roles", RoleBinding: "rolebindings" });

function apiVersionOf(group: string, version: string): string {
  return group === "" ? version : `${group}/${version}`;
}

/**
 * How the API serves `kind` of `apiVersion` ("v1", "rbac.authorization.k8s.io/v1").
 *
 * @throws KubeError KUBE_KIND_UNKNOWN for a kind that is not in the table.
 */
export function resourceFor(apiVersion: string, kind: string): ApiResource {
  const found = kinds.get(`${apiVersion} ${kind}`);
  if (found) return found;
  const versions = [...kinds.keys()].filter((key) => key.endsWith(` ${kind}`)).map((key) => key.split(" ")[0]);
  throw new KubeError("KUBE_KIND_UNKNOWN", `The kind ${kind} of apiVersion ${apiVersion} is not known.`, {
    remedy:
      versions.length > 0
        ? `${kind} is known with apiVersion ${versions.join(", ")}.`
        : `Known are: ${[...kinds.keys()].map((key) => key.split(" ")[1]).join(", ")}.`,
  });
}

/**
 * The REST path of an object, or of its collection without a name (for a POST or a list). A namespaced kind with a name needs a namespace.
 * Without both, the path is the collection of all namespaces.
 *
 * @throws KubeError KUBE_KIND_UNKNOWN, KUBE_NAMESPACE_MISSING
 */
export function pathFor(apiVersion: string, kind: string, namespace?: string, name?: string): string {
  const { group, version, plural, namespaced } = resourceFor(apiVersion, kind);
  if (namespaced && name !== undefined && !namespace) {
    throw new KubeError("KUBE_NAMESPACE_MISSING", `${kind} "${name}" is namespaced, and no namespace was given.`, {
      remedy: "Set metadata.namespace.",
    });
  }
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const inside = namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${inside}/${plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}
