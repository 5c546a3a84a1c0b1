/** Permissions of roles. */
import type { Policies } from "@pulumi/policy";
import { isClusterRole, isRole, matches, type PolicyRule, type Role } from "../kubernetes.ts";
import { resourceRule } from "../rule.ts";
import { all, each, some } from "../unknowns.ts";

const goodPractices = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/";

interface Exempt {
  readonly exempt: readonly string[];
}

const exempt = {
  type: "array",
  description: "Resource names, with * for anything, of roles that the policy does not check.",
  default: [],
} as const;

const noWildcardRules = resourceRule<Exempt>({
  name: "no-wildcard-rules",
  level: "mandatory",
  severity: "high",
  description: "Roles have no wildcards.",
  reason: "A wildcard grants all rights, also on resources that are installed later.",
  remedy: "Name the API groups, resources and verbs (k8sauth:bearerTokenUsers for the rules of a user).",
  url: goodPractices,
  tags: ["rbac", "cis-5.1.3"],
  settings: { exempt },
  appliesTo: isRole,
  check: ({ name, props }, report, settings) => {
    if (matches(name, settings.exempt)) return;
    each((props as Role).rules, (rule, index) => {
      all(
        ...(["apiGroups", "resources", "verbs", "nonResourceURLs"] as const).map((field) => () => {
          if (some(rule[field], (text) => text.includes("*"))) report(`rules[${index}].${field} has a wildcard.`);
        }),
      );
    });
  },
});

/** Permissions with which a user can gain further ones. */
interface Escalation {
  /** Action of the holder, which completes the sentence "It lets its holder …". */
  readonly what: string;
  /** Verbs, or with `*` at the end the start of verbs. */
  readonly verbs: readonly string[];
  /** @default all groups */
  readonly groups?: readonly string[];
  /** @default all resources */
  readonly resources?: readonly string[];
  /** Whether the permissions are an escalation only in a ClusterRole. */
  readonly clusterOnly?: boolean;
  /** Whether the permissions are no escalation for named objects. */
  readonly unlessNamed?: boolean;
}

const changes = ["create", "update", "patch"];

const escalations: readonly Escalation[] = [
  { what: "grant itself further rights", verbs: ["escalate", "bind"], groups: ["rbac.authorization.k8s.io"] },
  { what: "impersonate other users", verbs: ["impersonate*"] },
  {
    what: "create tokens of ServiceAccounts",
    verbs: ["create"],
    groups: [""],
    resources: ["serviceaccounts/token"],
  },
  {
    what: "approve certificate requests, and so become any user",
    verbs: ["update", "patch"],
    groups: ["certificates.k8s.io"],
    resources: ["certificatesigningrequests/approval"],
  },
  {
    what: "approve or sign certificates",
    verbs: ["approve", "sign"],
    groups: ["certificates.k8s.io"],
    resources: ["signers"],
  },
  {
    what: "read the Secrets of every namespace, tokens included",
    verbs: ["get", "list", "watch"],
    groups: [""],
    resources: ["secrets"],
    clusterOnly: true,
    unlessNamed: true,
  },
  {
    what: "create tokens of every ServiceAccount as Secrets, or replace Secrets",
    verbs: changes,
    groups: [""],
    resources: ["secrets"],
    clusterOnly: true,
  },
  {
    what: "run programs as every ServiceAccount of every namespace",
    verbs: changes,
    groups: ["", "apps", "batch"],
    resources: [
      "pods",
      "pods/ephemeralcontainers",
      "replicationcontrollers",
      "deployments",
      "statefulsets",
      "daemonsets",
      "replicasets",
      "jobs",
      "cronjobs",
    ],
    clusterOnly: true,
  },
  {
    what: "run commands in the pods of every namespace",
    verbs: ["get", "create"],
    groups: [""],
    resources: ["pods/exec", "pods/attach", "nodes/proxy"],
    clusterOnly: true,
  },
  {
    what: "read and change every request of other users",
    verbs: changes,
    groups: ["admissionregistration.k8s.io"],
    resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
    clusterOnly: true,
  },
];

const noEscalation = resourceRule<Exempt>({
  name: "no-escalation-rights",
  level: "mandatory",
  severity: "high",
  description:
    "Roles do not grant escalate, bind and impersonate, tokens, and approval and signing of certificates; ClusterRoles also not Secrets, pods, commands in pods, nodes/proxy and admission webhooks, and they aggregate no others.",
  reason: "A user with such a right can become another user, and often any user.",
  remedy:
    "Remove the rule, use a Role, or name the role in the policy's setting exempt (k8sauth:bearerTokenUsers for the rules of a user).",
  url: goodPractices,
  tags: ["rbac", "cis-5.1.8", "cis-5.1.11", "cis-5.1.13"],
  settings: { exempt },
  appliesTo: isRole,
  check: ({ name, type, props }, report, settings) => {
    if (matches(name, settings.exempt)) return;
    const { rules, aggregationRule } = props as Role;
    const clusterWide = isClusterRole(type);
    if (aggregationRule) report("It aggregates ClusterRoles, whose rules this policy does not see.");
    each(rules, (rule, index) =>
      all(
        ...escalations
          .filter(({ clusterOnly }) => clusterWide || !clusterOnly)
          .map((escalation) => () => {
            if (grants(rule, escalation)) report(`rules[${index}] lets its holder ${escalation.what}.`);
          }),
      ),
    );
  },
});

function grants(rule: PolicyRule, { verbs, groups, resources, unlessNamed }: Escalation): boolean {
  const covers = (granted: readonly string[] | undefined, wanted: readonly string[] | undefined) =>
    wanted === undefined || some(granted, (text) => text === "*" || matches(text, wanted));
  // Without a group, every rule with all verbs would be one. The policy no-wildcard-rules refuses those.
  const hasVerb = groups === undefined ? some(rule.verbs, (verb) => matches(verb, verbs)) : covers(rule.verbs, verbs);
  if (!hasVerb || !covers(rule.apiGroups, groups) || !covers(rule.resources, resources)) return false;
  return !(unlessNamed && some(rule.resourceNames, () => true));
}

export const roleRules: Policies = [noWildcardRules, noEscalation];
