/** Subjects and roles of bindings. */
import type { Policies } from "@pulumi/policy";
import {
  accountName,
  type Binding,
  type BindingSubject,
  isBinding,
  isClusterRoleBinding,
  matches,
  subjectName,
} from "../kubernetes.ts";
import { resourceRule } from "../rule.ts";
import { each } from "../unknowns.ts";

const goodPractices = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/";

/** Subjects that include all users or all anonymous requests, or that are exempt from authorization. `*` stands for any text. */
const broad: readonly Required<Pick<BindingSubject, "kind" | "name">>[] = [
  { kind: "Group", name: "system:masters" },
  { kind: "Group", name: "system:authenticated" },
  { kind: "Group", name: "system:unauthenticated" },
  { kind: "Group", name: "system:serviceaccounts*" },
  { kind: "User", name: "system:anonymous" },
];

/** Kubernetes' own roles whose holder can become any user if they apply to the whole cluster. */
const powerfulRoles = [
  "admin",
  "edit",
  "system:aggregate-to-admin",
  "system:aggregate-to-edit",
  "system:certificates.k8s.io:*",
  "system:controller:*",
  "system:kube-controller-manager",
  "system:kube-scheduler",
  "system:kubelet-api-admin",
  "system:node",
] as const;

interface Roles {
  readonly roles: readonly string[];
  readonly clusterRoles: readonly string[];
}

const noClusterAdmin = resourceRule<Roles>({
  name: "no-cluster-admin",
  level: "mandatory",
  severity: "critical",
  description:
    "Nothing is bound to cluster-admin, nor in the whole cluster to another role of Kubernetes whose holder can become any user.",
  reason: "The holder of such a credential controls the cluster. A gateway only needs to review tokens.",
  remedy:
    "Bind a role with only the rights that are used (k8sauth:reviewerRole for a reviewer, k8sauth:bearerTokenUsers for a user).",
  url: goodPractices,
  tags: ["rbac"],
  settings: {
    roles: {
      type: "array",
      description: "Roles that nothing may be bound to, with * for anything.",
      default: ["cluster-admin"],
    },
    clusterRoles: {
      type: "array",
      description: "Roles that no ClusterRoleBinding may bind, with * for anything.",
      default: powerfulRoles,
    },
  },
  appliesTo: isBinding,
  check: ({ type, props }, report, { roles, clusterRoles }) => {
    const role = (props as Binding).roleRef?.name ?? "";
    if (matches(role, roles)) report(`It binds the role ${role}.`);
    else if (isClusterRoleBinding(type) && matches(role, clusterRoles))
      report(`It binds the role ${role} in the whole cluster.`);
  },
});

const noBroadSubjects = resourceRule({
  name: "no-broad-subjects",
  level: "mandatory",
  severity: "critical",
  description:
    "Nothing is bound to system:masters, system:authenticated, system:unauthenticated, system:anonymous, or the ServiceAccounts of the cluster or of a namespace.",
  reason: "Others than the one that needs the right have it too, or the rights can't be revoked.",
  remedy: "Name the ServiceAccount or the user that needs the right.",
  url: "https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects",
  tags: ["rbac"],
  appliesTo: isBinding,
  check: ({ props }, report) =>
    each((props as Binding).subjects, (subject) => {
      // The kind is compared first, because reading the name of a ServiceAccount throws if it is unknown.
      const found = broad.some(({ kind, name }) => subject.kind === kind && matches(subject.name ?? "", [name]));
      if (found) report(`It binds ${subjectName(subject)}.`);
    }),
});

const noDefaultAccount = resourceRule({
  name: "no-default-account",
  level: "mandatory",
  severity: "high",
  description: "No rights go to a namespace's ServiceAccount default.",
  reason: "Every pod that names no ServiceAccount runs as this one and gets its rights.",
  remedy: "Create a dedicated ServiceAccount, and bind that.",
  url: goodPractices,
  tags: ["rbac", "cis-5.1.5"],
  appliesTo: isBinding,
  check: ({ props }, report) =>
    each((props as Binding).subjects, (subject) => {
      if (accountName(subject) === "default") report("It binds the ServiceAccount default.");
    }),
});

export const bindingRules: Policies = [noClusterAdmin, noBroadSubjects, noDefaultAccount];
