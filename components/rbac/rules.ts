/** API group of roles and bindings. */
export const rbacGroup = "rbac.authorization.k8s.io";

/** Rule of a Role or ClusterRole (rbac.authorization.k8s.io/v1 PolicyRule), for resources alone. */
export interface PolicyRule {
  /** API groups. @default [""], the core group */
  readonly apiGroups?: readonly string[];
  /** Plural names, with subresources as `pods/log`. */
  readonly resources: readonly string[];
  /** Verbs of the API server, such as `get`. */
  readonly verbs: readonly Verb[];
  /** Names of objects. @default all */
  readonly resourceNames?: readonly string[];
}

const verbs = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
  "use",
  "approve",
  "sign",
  "attest",
  "bind",
  "escalate",
  "impersonate",
  "*",
] as const;
/** Verb of a request to the API server. `*` is each verb. */
export type Verb = (typeof verbs)[number];

const knownFields = ["apiGroups", "resources", "verbs", "resourceNames"];

/** Rules as inputs of a Role or ClusterRole. */
export function roleRules(rules: readonly PolicyRule[]) {
  return rules.map(({ apiGroups = [""], resources, verbs, resourceNames }) => ({
    apiGroups: [...apiGroups],
    resources: [...resources],
    verbs: [...verbs],
    ...(resourceNames?.length && { resourceNames: [...resourceNames] }),
  }));
}

/** Problems of rules from a configuration. Each starts with the path of the value, such as `[0].verbs`. */
export function ruleProblems(rules: unknown, allowWildcards: boolean): string[] {
  const example = "[{resources: [pods], verbs: [get, list]}]";
  if (!Array.isArray(rules) || rules.length === 0) return [`is not a list of rules such as ${example}`];
  return rules.flatMap((rule: unknown, index) => {
    const at = `[${index}]`;
    if (typeof rule !== "object" || rule === null || Array.isArray(rule)) return [`${at} is not an object`];
    const { apiGroups = [""], resources, verbs: given, resourceNames = [] } = rule as Record<string, unknown>;
    const unknownFields = Object.keys(rule).filter((key) => !knownFields.includes(key));
    const problems = unknownFields.map((key) => `${at}.${key} is not known; known are ${knownFields.join(", ")}`);
    const lists = { apiGroups, resources, verbs: given, resourceNames };
    for (const [key, list] of Object.entries(lists)) {
      if (!isTexts(list) || (list.length === 0 && key !== "resourceNames")) {
        problems.push(`${at}.${key} is not a list of strings, or is empty`);
      } else if (!allowWildcards && list.some((text) => text.includes("*"))) {
        problems.push(`${at}.${key} has a wildcard; list the names, or set allowWildcards`);
      }
    }
    if (isTexts(given)) {
      const unknown = given.filter((verb) => !(verbs as readonly string[]).includes(verb));
      if (unknown.length > 0) problems.push(`${at}.verbs has ${unknown.join(", ")}; known are ${verbs.join(", ")}`);
    }
    return problems;
  });
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
