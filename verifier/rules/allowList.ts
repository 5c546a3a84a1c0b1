/** Rules for accepted callers: globs for namespace, ServiceAccount and pod, optionally for some requests only. */
import { VerifierError } from "../errors.ts";
import type { Identity } from "../token/identity.ts";
import { matchesGlob, parseRoute, type Route } from "./routes.ts";

export interface Rule {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** If set, the token must be bound to a pod with such a name. */
  readonly pod: string | undefined;
  /** `undefined`: all requests. */
  readonly route: Route | undefined;
}

/**
 * Parses `NAMESPACE/SERVICEACCOUNT[/POD] [METHODS] [PATH]`. `*` is any run of characters, `?` is one.
 *
 * @throws VerifierError CONFIG_INVALID
 */
export function parseRule(text: string): Rule {
  const [who = "", ...request] = text.split(" ");
  const [namespace = "", serviceAccount = "", pod, ...rest] = who.split("/");
  const parts = [namespace, serviceAccount, ...(pod === undefined ? [] : [pod])];
  if (rest.length > 0 || !parts.every((part) => /^[a-z0-9.*?-]{1,253}$/.test(part))) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `The rule ${JSON.stringify(text)} is not NAMESPACE/SERVICEACCOUNT or NAMESPACE/SERVICEACCOUNT/POD with the wildcards * and ?, optionally followed by a route, as in shop/web GET|HEAD /orders/*.`,
    );
  }
  const route = request.length === 0 ? undefined : parseRoute(request.join(" "));
  return { namespace, serviceAccount, pod, route };
}

/** Requests that the rules allow to an identity: `"all"`, or a list of routes, which can be empty. Without rules, all are allowed. */
export function allowedRoutes(rules: readonly Rule[], identity: Identity): "all" | readonly Route[] {
  const routes = rules.filter((rule) => matchesIdentity(rule, identity)).map(({ route }) => route);
  if (rules.length === 0 || routes.includes(undefined)) return "all";
  return routes as readonly Route[];
}

function matchesIdentity(rule: Rule, { namespace, serviceAccountName, podName }: Identity): boolean {
  return (
    matchesGlob(rule.namespace, namespace) &&
    matchesGlob(rule.serviceAccount, serviceAccountName) &&
    (rule.pod === undefined || (podName !== undefined && matchesGlob(rule.pod, podName)))
  );
}
