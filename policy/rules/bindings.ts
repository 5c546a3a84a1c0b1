/** Who is bound to what. */
import type { Policies } from "@pulumi/policy";
import { type Binding, type BindingSubject, isBinding, subjectName } from "../kubernetes.ts";
import { resourceRule } from "../rule.ts";
import { each } from "../unknowns.ts";

const goodPractices = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/";

/** Subjects that are everybody, nobody in particular, or above all rules. */
const broad: readonly BindingSubject[] = [
  { kind: "Group", name: "system:masters" },
  { kind: "Group", name: "system:authenticated" },
  { kind: "Group", name: "system:unauthenticated" },
  { kind: "User", name: "system:anonymous" },
];

const noClusterAdmin = resourceRule<{ roles: readonly string[] }>({
  name: "no-cluster-admin",
  level: "mandatory",
  severity: "critical",
  description: "Nothing is bound to cluster-admin.",
  reason: "Whoever holds such a credential holds the cluster; a gateway needs to review tokens, and nothing else.",
  remedy: "Bind the role that has just the rights that are used.",
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
  description: "Nothing is bound to system:masters, system:authenticated, system:unauthenticated or system:anonymous.",
  reason: "Rights of these groups belong to everybody who can reach the API server, or can't be taken away.",
  remedy: "Name the ServiceAccount or the user that needs the right.",
  url: "https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects",
  tags: ["rbac"],
  appliesTo: isBinding,
  check: ({ props }, report) =>
    each((props as Binding).subjects, (subject) => {
      // The kind first: a ServiceAccount is none of them, whatever its name will be.
      const found = broad.find(({ kind, name }) => subject.kind === kind && subject.name === name);
      if (found) report(`It binds ${subjectName(found)}.`);
    }),
});

const noDefaultAccount = resourceRule({
  name: "no-default-account",
  level: "mandatory",
  severity: "high",
  description: "No rights go to a namespace's ServiceAccount default.",
  reason: "Every pod that names no ServiceAccount runs as it, and gets the right along.",
  remedy: "Make a ServiceAccount for the purpose, and bind that.",
  url: goodPractices,
  tags: ["rbac", "cis-5.1.5"],
  appliesTo: isBinding,
  check: ({ props }, report) =>
    each((props as Binding).subjects, ({ kind, name }) => {
      if (kind === "ServiceAccount" && name === "default") report("It binds the ServiceAccount default.");
    }),
});

export const bindingRules: Policies = [noClusterAdmin, noBroadSubjects, noDefaultAccount];
