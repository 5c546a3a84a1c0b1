import * as v from "valibot";
import type { BearerTokenUserArgs } from "../../components/bearerTokenUser.ts";
import { label, subdomain } from "../../components/names.ts";
import { type PolicyRule, ruleProblems } from "../../components/rbac/rules.ts";
import { tokenModes } from "../../components/resources/reviewerToken.ts";
import { accountNameLimit, type Rotation } from "../../components/rotation.ts";
import { defaultTokenLifetime, shortestLifetime } from "../../kubernetes/lifetimes.ts";
import type { Refuse } from "./read.ts";
import { fields, name, nonEmptyText, object, oneOf, record, trueOrFalse } from "./setting.ts";
import { rotation } from "./token.ts";

/** A bearer-token user as the stack's settings describe it. */
export type BearerTokenUserSettings = Omit<
  BearerTokenUserArgs,
  "cluster" | "namespace" | "serviceAccountName" | "proveHost"
> & { readonly namespace: string };

/** Names that other kubeconfigs and credentials of the stack have. */
const taken = ["token", "certificate"];

const seconds = (least: number) => {
  const message = `must be a whole number of seconds, ${least} or more`;
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(least, message));
};

const user = v.pipe(
  fields({
    namespace: v.pipe(v.string("must be the name of a namespace"), name(label, 63)),
    createNamespace: v.optional(trueOrFalse),
    rules: v.optional(v.custom<readonly PolicyRule[]>(() => true)),
    clusterRole: v.optional(nonEmptyText),
    scope: v.optional(oneOf(["namespace", "cluster"])),
    allowWildcards: v.optional(trueOrFalse),
    tokenMode: v.optional(oneOf(tokenModes)),
    tokenExpirationSeconds: v.optional(seconds(shortestLifetime)),
    tokenRenewBefore: v.optional(seconds(1)),
    rotation: v.optional(rotation),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { rules, clusterRole, allowWildcards = false, tokenRenewBefore, tokenExpirationSeconds } = dataset.value;
    const lifetime = tokenExpirationSeconds ?? defaultTokenLifetime;
    if ((rules === undefined) === (clusterRole === undefined))
      addIssue({ message: "needs either rules or clusterRole" });
    else if (rules !== undefined) {
      for (const problem of ruleProblems(rules, allowWildcards)) addIssue({ message: `.rules${problem}` });
    }
    if (tokenRenewBefore !== undefined && tokenRenewBefore >= lifetime) {
      addIssue({ message: `.tokenRenewBefore is not less than tokenExpirationSeconds (${lifetime})` });
    }
  }),
) as v.GenericSchema<unknown, BearerTokenUserSettings>;

const userName = v.pipe(
  v.string(),
  v.check(
    (value) => subdomain.test(value) && value.length <= accountNameLimit,
    'is not the name of a ServiceAccount. Use lower-case letters, digits and "-"',
  ),
  v.check((value) => !taken.includes(value), "is the name of a flow. Give the user another name"),
);

/** Users with a bearer token and their permissions. */
export const userSettings = {
  bearerTokenUsers: object(record(userName, user, "must be an object of users by name"), {
    inputs: [
      "BearerTokenUser$ReviewerToken.mode=.{name}.tokenMode",
      "BearerTokenUser$ReviewerToken.expirationSeconds=.{name}.tokenExpirationSeconds",
      "BearerTokenUser$ReviewerToken.renewBefore=.{name}.tokenRenewBefore",
      "BearerTokenUser$ReviewerToken.namespace=.{name}.namespace",
    ],
    unset: "none",
    example: "bearerTokenUsers.reader.namespace shop",
    description: "Users with a token, rights and a kubeconfig, by name: see [below](#a-bearer-token-user).",
  }),
} as const;

/** Users by name. The stack's rotation is each user's default. */
export function usersOf(
  users: Readonly<Record<string, BearerTokenUserSettings>> = {},
  standard: Rotation | undefined,
): Readonly<Record<string, BearerTokenUserSettings>> {
  return Object.fromEntries(Object.entries(users).map(([key, value]) => [key, { rotation: standard, ...value }]));
}

/** Users that conflict with each other, with the reviewer or with the verifier. */
export function checkUsers(
  users: Readonly<Record<string, BearerTokenUserSettings>>,
  reviewer: {
    readonly namespace?: string;
    readonly serviceAccountName: string;
    readonly verifier?: { readonly namespace?: string };
  },
  refuse: Refuse,
): void {
  const all = Object.entries(users);
  const problem = (text: string) => refuse(["bearerTokenUsers"], text);
  for (const [key, { namespace, createNamespace }] of all) {
    if (key === reviewer.serviceAccountName && namespace === reviewer.namespace)
      problem(`.${key} has the name and namespace of the reviewer's ServiceAccount`);
    const others = all.filter(([other, { namespace: home }]) => other !== key && home === namespace);
    const shared = [reviewer.namespace, reviewer.verifier?.namespace].includes(namespace) || others.length > 0;
    if (createNamespace && shared) {
      problem(
        `.${key}.createNamespace is true, but the namespace ${namespace} is not this user's alone. Create it beforehand and unset createNamespace`,
      );
    }
  }
}
