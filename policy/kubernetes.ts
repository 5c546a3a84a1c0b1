/** The fields of Kubernetes resources that the rules read, spelt as in Pulumi's SDKs. */

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

const rbacGroup = "rbac.authorization.k8s.io";

/** Group ("" for the core group) and kind of a type token; undefined if it is none of a Kubernetes object. */
export function kindOf(type: string): { readonly group: string; readonly kind: string } | undefined {
  const match = /^kubernetes:([^/:]+)\/[^:]+:(\w+?)(?:Patch)?$/.exec(type);
  if (!match) return undefined;
  const [, group = "", kind = ""] = match;
  return { group: group === "core" ? "" : group, kind };
}

/** Whether a type is one of the kinds of a group, in any version, or the `Patch` resource of one. */
export function ofKinds(group: string, ...kinds: readonly string[]): (type: string) => boolean {
  return (type) => {
    const found = kindOf(type);
    return found !== undefined && found.group === group && kinds.includes(found.kind);
  };
}

export const isClusterRoleBinding = ofKinds(rbacGroup, "ClusterRoleBinding");
export const isBinding = ofKinds(rbacGroup, "ClusterRoleBinding", "RoleBinding");
export const isRole = ofKinds(rbacGroup, "ClusterRole", "Role");
export const isClusterRole = ofKinds(rbacGroup, "ClusterRole");
export const isSecret = ofKinds("", "Secret");
export const isServiceAccount = ofKinds("", "ServiceAccount");
export const isConfigMap = ofKinds("", "ConfigMap");
export const isNamespace = ofKinds("", "Namespace");
export const isNetworkPolicy = ofKinds("networking.k8s.io", "NetworkPolicy");

/** Whether a type is a Kubernetes object, and not a resource of the SDK that creates objects, such as a Helm chart. */
export function isKubernetesObject(type: string): boolean {
  return kindOf(type) !== undefined && !/^kubernetes:(?:helm\.sh|kustomize|yaml)\//.test(type);
}

/**
 * Whether objects of this type are in a namespace. If none is set, it is the default namespace of the provider. False for kinds that no rule
 * reads.
 */
export function isNamespaced(type: string): boolean {
  return (
    ofKinds("", "Secret", "ServiceAccount", "ConfigMap", "Pod", "Service", "ReplicationController")(type) ||
    ofKinds(rbacGroup, "Role", "RoleBinding")(type) ||
    ofKinds("apps", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")(type) ||
    ofKinds("batch", "Job", "CronJob")(type) ||
    ofKinds("autoscaling", "HorizontalPodAutoscaler")(type) ||
    ofKinds("policy", "PodDisruptionBudget")(type) ||
    isNetworkPolicy(type)
  );
}

/** Whether a name matches one of the patterns, in which `*` stands for any text. */
export function matches(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`, "s").test(name);
  });
}

/** Start of the names of users and groups that Kubernetes and kubeadm reserve. */
export const reservedPrefixes = ["system:", "kubeadm:"] as const;

/** Start of the user name of a ServiceAccount. A binding of this User gives the account the role, as one of the ServiceAccount does. */
const accountUser = "system:serviceaccount:";

/** Name of the ServiceAccount that a subject stands for. Undefined for other subjects. */
export function accountName({ kind, name }: BindingSubject): string | undefined {
  if (kind === "ServiceAccount") return name;
  return kind === "User" && name?.startsWith(accountUser) ? name.slice(accountUser.length).split(":")[1] : undefined;
}

/** Name of a binding's subject in a message. */
export function subjectName({ kind = "?", name = "?", namespace }: BindingSubject): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}
