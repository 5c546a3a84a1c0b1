/** Permissions of roles. */
import type { Policies } from "@pulumi/policy";
import { isClusterRole, isRole, matches, type PolicyRule, type Role } from "../kubernetes.ts";
import { type Report, resourceRule } from "../rule.ts";
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
  readonly verbs: readonly string[];
  readonly group?: string;
  readonly resource?: string;
  /** Whether the permissions are an escalation only in a ClusterRole. */
  readonly clusterOnly?: boolean;
}

const escalations: readonly Escalation[] = [
  {
    what: "grant itself further rights",
    verbs: ["escalate", "bind"],
    group: "rbac.authorization.k8s.io",
  },
  { what: "impersonate other users", verbs: ["impersonate"] },
  { what: "create tokens of ServiceAccounts", verbs: ["create"], group: "", resource: "serviceaccounts/token" },
  {
    what: "approve certificate requests, and so become any user",
    verbs: ["update", "patch"],
    group: "certificates.k8s.io",
    resource: "certificatesigningrequests/approval",
  },
  {
    what: "approve or sign certificates",
    verbs: ["approve", "sign"],
    group: "certificates.k8s.io",
    resource: "signers",
  },
  {
    what: "read the Secrets of every namespace, tokens included",
    verbs: ["get", "list", "watch"],
    group: "",
    resource: "secrets",
    clusterOnly: true,
  },
];

const noEscalation = resourceRule<Exempt>({
  name: "no-escalation-rights",
  level: "mandatory",
  severity: "high",
  description: "Roles grant no rights with which a user can gain further rights.",
  reason:
    "A user who may bind, impersonate, create tokens, approve certificates or read all Secrets can become any user.",
  remedy: "Remove the rule, or restrict it by resourceNames (k8sauth:bearerTokenUsers for the rules of a user).",
  url: goodPractices,
  tags: ["rbac", "cis-5.1.8", "cis-5.1.11", "cis-5.1.13"],
  settings: { exempt },
  appliesTo: isRole,
  check: ({ name, type, props }, report, settings) => {
    if (matches(name, settings.exempt)) return;
    const clusterWide = isClusterRole(type);
    each((props as Role).rules, (rule, index) =>
      all(
        ...escalations
          .filter(({ clusterOnly }) => clusterWide || !clusterOnly)
          .map((escalation) => () => refuse(rule, escalation, index, report)),
      ),
    );
  },
});

function refuse(rule: PolicyRule, { what, verbs, group, resource }: Escalation, index: number, report: Report): void {
  const grants =
    some(rule.verbs, (verb) => verbs.includes(verb)) &&
    (group === undefined || some(rule.apiGroups, (text) => text === group || text === "*")) &&
    (resource === undefined || some(rule.resources, (text) => text === resource || text === "*"));
  if (grants && !some(rule.resourceNames, () => true)) report(`rules[${index}] lets its holder ${what}.`);
}

export const roleRules: Policies = [noWildcardRules, noEscalation];
