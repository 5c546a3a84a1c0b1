/** Subjects and roles of bindings. */
import type { Policies } from "@pulumi/policy";
import { type Binding, type BindingSubject, isBinding, matches, subjectName } from "../kubernetes.ts";
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

const noClusterAdmin = resourceRule<{ roles: readonly string[] }>({
  name: "no-cluster-admin",
  level: "mandatory",
  severity: "critical",
  description: "Nothing is bound to cluster-admin.",
  reason: "The holder of such a credential controls the cluster. A gateway only needs to review tokens.",
  remedy:
    "Bind a role with only the rights that are used (k8sauth:reviewerRole for a reviewer, k8sauth:bearerTokenUsers for a user).",
  url: goodPractices,
  tags: ["rbac"],
  settings: {
    roles: { type: "array", description: "Roles that nothing may be bound to.", default: ["cluster-admin"] },
  },
  appliesTo: isBinding,
  check: ({ props }, report, { roles }) => {
    const role = (props as Binding).roleRef?.name ?? "";
    if (roles.includes(role)) report(`It binds the role ${role}.`);
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
    each((props as Binding).subjects, ({ kind, name }) => {
      if (kind === "ServiceAccount" && name === "default") report("It binds the ServiceAccount default.");
    }),
});

export const bindingRules: Policies = [noClusterAdmin, noBroadSubjects, noDefaultAccount];
