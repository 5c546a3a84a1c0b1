/** Kubernetes resources as Pulumi names and shapes them, as far as the rules read them. */

export interface ObjectMeta {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface RoleRef {
  readonly kind?: string;
  readonly name?: string;
}

/** A subject of a binding. */
export interface BindingSubject {
  readonly kind?: string;
  readonly name?: string;
  readonly namespace?: string;
}

export interface Binding {
  readonly metadata?: ObjectMeta;
  readonly roleRef?: RoleRef;
  readonly subjects?: readonly BindingSubject[];
}

export interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface Role {
  readonly metadata?: ObjectMeta;
  readonly rules?: readonly PolicyRule[];
  readonly aggregationRule?: object;
}

const rbac = "rbac.authorization.k8s.io";

/** Group ("" for the core group) and kind of a type token; undefined for what is no Kubernetes object. */
export function kindOf(type: string): { readonly group: string; readonly kind: string } | undefined {
  const match = /^kubernetes:([^/:]+)\/[^:]+:(\w+?)(?:Patch)?$/.exec(type);
  if (!match) return undefined;
  const [, group = "", kind = ""] = match;
  // The SDKs' modules are called by the group's first part, those of custom resources by the whole of it.
  return { group: group === "core" ? "" : (group.split(".")[0] as string), kind };
}

/** Types of one group by kinds, also in their `Patch` form and of every version. */
export function ofKinds(group: string, ...kinds: readonly string[]): (type: string) => boolean {
  const short = group.split(".")[0];
  return (type) => {
    const found = kindOf(type);
    return found !== undefined && found.group === short && kinds.includes(found.kind);
  };
}

export const isBinding = ofKinds(rbac, "ClusterRoleBinding", "RoleBinding");
export const isRole = ofKinds(rbac, "ClusterRole", "Role");
export const isClusterRole = ofKinds(rbac, "ClusterRole");
export const isSecret = ofKinds("", "Secret");
export const isServiceAccount = ofKinds("", "ServiceAccount");
export const isConfigMap = ofKinds("", "ConfigMap");
export const isNamespace = ofKinds("", "Namespace");
export const isNetworkPolicy = ofKinds("networking.k8s.io", "NetworkPolicy");

/** Whether this is an object, and not a component or one of the SDK's own constructs around it. */
export function isKubernetesObject(type: string): boolean {
  const found = kindOf(type);
  return found !== undefined && !["helm", "kustomize", "yaml"].includes(found.group);
}

/** Kinds of a namespace, as far as they matter here: for them a namespace that is not said is the provider's choice. */
export function isNamespaced(type: string): boolean {
  return (
    ofKinds("", "Secret", "ServiceAccount", "ConfigMap", "Pod", "Service", "ReplicationController")(type) ||
    ofKinds(rbac, "Role", "RoleBinding")(type) ||
    ofKinds("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")(type) ||
    ofKinds("batch", "Job", "CronJob")(type) ||
    ofKinds("autoscaling", "HorizontalPodAutoscaler")(type) ||
    ofKinds("policy", "PodDisruptionBudget")(type) ||
    isNetworkPolicy(type)
  );
}

/** Whether a name fits one of the patterns, in which `*` stands for anything. */
export function fits(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`, "s").test(name);
  });
}

/** A binding's subject as a message names it. */
export function subjectName({ kind = "?", name = "?", namespace }: BindingSubject): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
