/** Reviewers: the identities that a gateway reviews tokens with. */
import type { Policies } from "@pulumi/policy";
import {
  accountName,
  type Binding,
  isBinding,
  isRole,
  matches,
  type PolicyRule,
  type Role,
  subjectName,
} from "../kubernetes.ts";
import { ofType, resourceRule, type Setting } from "../rule.ts";
import { each, every, some } from "../unknowns.ts";

/** Default names of reviewers in k8sauth's components and stack. */
const reviewerNames = ["gateway-token-reviewer*", "gateway-client-certificate*"];

/** The setting of all rules that recognize reviewers by name. */
export const reviewers: Setting<readonly string[]> = {
  type: "array",
  description: "Names of reviewers' ServiceAccounts and users, with * for anything.",
  default: reviewerNames,
};

interface Names {
  readonly reviewers: readonly string[];
  readonly roles: readonly string[];
}

const bound = {
  level: "mandatory",
  severity: "high",
  reason:
    "A gateway holds the credential outside of the cluster. After a theft, every further right of it can be used.",
  remedy:
    "Bind system:auth-delegator, or a ClusterRole that may create TokenReviews and no more (k8sauth:reviewerRole).",
  url: "https://kubernetes.io/docs/reference/access-authn-authz/authentication/#webhook-token-authentication",
  tags: ["rbac", "reviewer"],
} as const;

const reviewerBinding = resourceRule<Names>({
  ...bound,
  name: "reviewer-binding",
  description: "Reviewers, which the policy recognizes by name, are bound to reviewer roles only.",
  settings: {
    reviewers,
    roles: {
      type: "array",
      description: "Names of the roles that reviewers may be bound to, with * for anything.",
      default: ["system:auth-delegator", ...reviewerNames],
    },
  },
  appliesTo: isBinding,
  check: ({ props }, report, settings) => {
    const binding = props as Binding;
    each(binding.subjects, (subject) => {
      if (!matches(accountName(subject) ?? subject.name ?? "", settings.reviewers)) return;
      const role = binding.roleRef?.name ?? "";
      if (!matches(role, settings.roles)) report(`It binds the reviewer ${subjectName(subject)} to the role ${role}.`);
    });
  },
});

/** Permissions that a reviewer role may grant, in addition to `get` on the resources of the setting `mayRead`. */
const reviewerRights: readonly {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}[] = [
  { group: "authentication.k8s.io", resources: ["tokenreviews"], verbs: ["create"] },
  { group: "authorization.k8s.io", resources: ["subjectaccessreviews"], verbs: ["create"] },
];

interface Reads {
  readonly names: readonly string[];
  readonly mayRead: readonly string[];
}

const reviewerRole = resourceRule<Reads>({
  ...bound,
  name: "reviewer-role",
  description: "A reviewer role, which the policy recognizes by name, lets its holder review, and nothing else.",
  remedy:
    "Grant only create on tokenreviews and subjectaccessreviews, and get on the resources in the policy's setting mayRead (k8sauth:products adds them).",
  settings: {
    names: {
      type: "array",
      description: "Names of reviewer roles, of the Pulumi resource or of the object, with * for anything.",
      default: reviewerNames,
    },
    mayRead: {
      type: "array",
      description: "Resources of the core group that a role may also read, such as serviceaccounts for Consul.",
      default: ["serviceaccounts", "pods", "nodes"],
    },
  },
  appliesTo: isRole,
  check: ({ name, props }, report, settings) => {
    const { metadata, rules, aggregationRule } = props as Role;
    if (!matches(name, settings.names) && !matches(metadata?.name ?? "", settings.names)) return;
    if (aggregationRule) report("It aggregates ClusterRoles, whose rules this policy does not see.");
    each(rules, (rule, index) => {
      if (!isReviewing(rule, settings.mayRead)) report(`rules[${index}] is more than a review.`);
    });
  },
});

function isReviewing(rule: PolicyRule, mayRead: readonly string[]): boolean {
  if (some(rule.nonResourceURLs, () => true)) return false;
  const allows = [...reviewerRights, { group: "", resources: mayRead, verbs: ["get"] }];
  return allows.some(
    ({ group, resources, verbs }) =>
      every(rule.apiGroups, (text) => text === group) &&
      every(rule.resources, (text) => resources.includes(text)) &&
      every(rule.verbs, (text) => verbs.includes(text)),
  );
}

const reviewerNamed = resourceRule<{ reviewers: readonly string[] }>({
  ...bound,
  name: "reviewer-named",
  level: "advisory",
  severity: "medium",
  description: "Reviewers have names that the other policies recognize.",
  reason: "The policies for reviewers do not apply to a reviewer with another name.",
  remedy: "Add the name to the setting reviewers of reviewer-binding, token-secret-for-reviewers and this policy.",
  settings: { reviewers },
  appliesTo: ofType("k8sauth:index:ReviewerToken", "tls:index/certRequest:CertRequest"),
  check: ({ type, urn, props }, report, settings) => {
    const isToken = type === "k8sauth:index:ReviewerToken";
    // Skips tokens of bearer-token users, and certificate requests outside of a ClientCertificate.
    if (isToken ? props.proof === "self" : !urn.includes("k8sauth:index:ClientCertificate$")) return;
    const { commonName = "" } = (props.subject ?? {}) as { commonName?: string };
    const name = isToken ? (props.serviceAccountName as string) : commonName;
    if (!matches(name, settings.reviewers))
      report(`The reviewer ${name} has none of the names ${settings.reviewers.join(", ")}.`);
  },
});

const reviewerProtected = resourceRule({
  name: "reviewer-protected",
  level: "advisory",
  severity: "low",
  description: "Reviewers are protected from deletion.",
  reason: "Without its reviewer a gateway refuses every workload of the cluster.",
  remedy: "Set k8sauth:protect to true.",
  url: "https://www.pulumi.com/docs/iac/concepts/options/protect/",
  tags: ["reviewer"],
  appliesTo: ofType("k8sauth:index:TokenReviewer", "k8sauth:index:ClientCertificate", "k8sauth:index:GatewayAccount"),
  check: ({ name, protect }, report) => {
    if (!protect) report(`A destroy deletes the reviewer ${name}.`);
  },
});

export const reviewerRules: Policies = [reviewerBinding, reviewerRole, reviewerNamed, reviewerProtected];
