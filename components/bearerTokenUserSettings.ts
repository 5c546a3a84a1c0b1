import type { BearerTokenUserArgs } from "./bearerTokenUser.ts";
import { tokenModes } from "./reviewerToken.ts";
import { ruleProblems } from "./rules.ts";
import { label, subdomain } from "./settingsReader.ts";

/** A bearer-token user as the stack's settings describe it. */
export type BearerTokenUserSettings = Omit<
  BearerTokenUserArgs,
  "cluster" | "kubeconfig" | "context" | "namespace" | "serviceAccountName" | "proveHost"
> & { readonly namespace: string };

/** Names that other kubeconfigs and credentials of the stack have. */
const taken = ["token", "certificate"];
const scopes = ["namespace", "cluster"];

interface Kind {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
}

const flag: Kind = { expected: "true or false", fits: (value) => typeof value === "boolean" };
const text: Kind = { expected: "text", fits: (value) => typeof value === "string" && value !== "" };
const seconds: Kind = {
  expected: "a number of seconds, at least 1",
  fits: (value) => Number.isSafeInteger(value) && Number(value) > 0,
};
const oneOf = (values: readonly string[]): Kind => ({
  expected: `one of ${values.join(", ")}`,
  fits: (value) => values.includes(String(value)),
});

const fields: Readonly<Record<keyof BearerTokenUserSettings, Kind>> = {
  namespace: {
    expected: "the name of a namespace",
    fits: (value) => typeof value === "string" && label.test(value) && value.length <= 63,
  },
  createNamespace: flag,
  rules: { expected: "a list of rules", fits: Array.isArray },
  clusterRole: text,
  scope: oneOf(scopes),
  allowWildcards: flag,
  tokenMode: oneOf(tokenModes),
  tokenExpirationSeconds: {
    expected: "a number of seconds, at least 600",
    fits: (value) => Number.isSafeInteger(value) && Number(value) >= 600,
  },
  tokenRenewBefore: seconds,
};

/** Users by name; each problem is refused, and what has one is left out. */
export function readBearerTokenUsers(
  value: unknown,
  refuse: (problem: string) => void,
): Readonly<Record<string, BearerTokenUserSettings>> {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    refuse("is not an object such as {reader: {namespace: shop, rules: [{resources: [pods], verbs: [get, list]}]}}");
    return {};
  }
  const users = Object.entries(value).filter(([name, user]) => {
    const problems = [...nameProblems(name), ...userProblems(user)];
    for (const problem of problems) refuse(`: ${name}${problem}`);
    return problems.length === 0;
  });
  return Object.fromEntries(users);
}

/** Refuses users that get into each other's way, or into the reviewer's or the verifier's. */
export function checkBearerTokenUsers(
  users: Readonly<Record<string, BearerTokenUserSettings>>,
  reviewer: {
    readonly namespace?: string;
    readonly serviceAccountName: string;
    readonly verifier?: { readonly namespace?: string };
  },
  refuse: (problem: string) => void,
): void {
  const all = Object.entries(users);
  for (const [name, { namespace, createNamespace }] of all) {
    if (name === reviewer.serviceAccountName && namespace === reviewer.namespace)
      refuse(`: ${name} has the name and namespace of the reviewer's ServiceAccount`);
    const others = all.filter(([other, user]) => other !== name && user.namespace === namespace);
    const shared = [reviewer.namespace, reviewer.verifier?.namespace].includes(namespace) || others.length > 0;
    if (createNamespace && shared)
      refuse(`: ${name}.createNamespace makes a namespace that is not this user's alone; let it exist before`);
  }
}

function nameProblems(name: string): string[] {
  if (taken.includes(name)) return [" is the name of a flow; call the user otherwise"];
  const fits = subdomain.test(name) && name.length <= 253 - "-bound-token".length;
  return fits ? [] : [' is no name for a ServiceAccount: lower-case letters, digits and "-"'];
}

function userProblems(user: unknown): string[] {
  if (typeof user !== "object" || user === null || Array.isArray(user)) return [" is not an object"];
  const given = user as Readonly<Record<string, unknown>>;
  const problems = Object.entries(given).flatMap(([key, value]) => {
    const kind = (fields as Readonly<Record<string, Kind>>)[key];
    if (kind === undefined) return [`.${key} is not known; known are ${Object.keys(fields).join(", ")}`];
    return kind.fits(value) ? [] : [`.${key} is not ${kind.expected}`];
  });
  if (given.namespace === undefined) problems.push(".namespace is missing");
  if ((given.rules === undefined) === (given.clusterRole === undefined)) {
    problems.push(" has to have either rules or clusterRole");
  } else if (given.rules !== undefined) {
    problems.push(...ruleProblems(given.rules, given.allowWildcards === true).map((problem) => `.rules${problem}`));
  }
  const { tokenRenewBefore, tokenExpirationSeconds = 2_592_000 } = given;
  if (Number(tokenRenewBefore) >= Number(tokenExpirationSeconds)) {
    problems.push(`.tokenRenewBefore is not below tokenExpirationSeconds (${String(tokenExpirationSeconds)})`);
  }
  return problems;
}
