/** Who is let in: globs over namespace, ServiceAccount and pod. */
import { VerifierError } from "./errors.ts";
import type { Identity } from "./token/identity.ts";

export interface Rule {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Only tokens that are bound to such a pod; `undefined`: bound to a pod or not. */
  readonly pod: string | undefined;
}

/**
 * Reads `NAMESPACE/SERVICEACCOUNT[/POD]`; `*` is any run of characters, `?` is one.
 *
 * @throws VerifierError CONFIG_INVALID
 */
export function parseRule(text: string): Rule {
  const [namespace = "", serviceAccount = "", pod, ...rest] = text.split("/");
  const parts = [namespace, serviceAccount, ...(pod === undefined ? [] : [pod])];
  if (rest.length > 0 || !parts.every((part) => /^[a-z0-9.*?-]{1,253}$/.test(part))) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `The rule ${JSON.stringify(text)} is not NAMESPACE/SERVICEACCOUNT or NAMESPACE/SERVICEACCOUNT/POD with the wildcards * and ?.`,
    );
  }
  return { namespace, serviceAccount, pod };
}

/** True where there are no rules, or one matches. */
export function isAllowed(rules: readonly Rule[], { namespace, serviceAccountName, podName }: Identity): boolean {
  if (rules.length === 0) return true;
  return rules.some(
    (rule) =>
      matchesGlob(rule.namespace, namespace) &&
      matchesGlob(rule.serviceAccount, serviceAccountName) &&
      (rule.pod === undefined || (podName !== undefined && matchesGlob(rule.pod, podName))),
  );
}

/** Linear in both lengths for each star, whatever the pattern: nothing to blow up. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
