import * as v from "valibot";
import type { BearerTokenUserArgs } from "../../components/bearerTokenUser.ts";
import { dnsLabel, dnsSubdomain } from "../../components/names.ts";
import { type PolicyRule, ruleProblems } from "../../components/rbac/rules.ts";
import { tokenModes } from "../../components/resources/reviewerToken.ts";
import { accountNameLimit, type Rotation } from "../../components/rotation.ts";
import { defaultTokenLifetime, shortestLifetime } from "../../kubernetes/lifetimes.ts";
import type { Refuse } from "./read.ts";
import { fields, nonEmptyText, object, objectName, oneOf, record, trueOrFalse } from "./setting.ts";
import { rotation } from "./token.ts";

/** The converted settings of a bearer-token user. */
export type BearerTokenUserSettings = Omit<
  BearerTokenUserArgs,
  "cluster" | "namespace" | "serviceAccountName" | "proveHost"
> & { readonly namespace: string };

/** Keys of the flows in the outputs `kubeconfigs` and `credentials`, which have the users' names as keys too. */
const flowNames = ["token", "certificate"];

const atLeastSeconds = (least: number) => {
  const message = `must be a whole number of seconds, ${least} or more`;
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(least, message));
};

const user = v.pipe(
  fields({
    namespace: v.pipe(v.string("must be the name of a namespace"), objectName(dnsLabel, 63)),
    createNamespace: v.optional(trueOrFalse),
    rules: v.optional(v.custom<readonly PolicyRule[]>(() => true)),
    clusterRole: v.optional(nonEmptyText),
    scope: v.optional(oneOf(["namespace", "cluster"])),
    allowWildcards: v.optional(trueOrFalse),
    tokenMode: v.optional(oneOf(tokenModes)),
    tokenExpirationSeconds: v.optional(atLeastSeconds(shortestLifetime)),
    tokenRenewBefore: v.optional(atLeastSeconds(1)),
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
    (value) => dnsSubdomain.test(value) && value.length <= accountNameLimit,
    'is not the name of a ServiceAccount. Use lower-case letters, digits and "-"',
  ),
  v.check((value) => !flowNames.includes(value), "is the name of a flow. Give the user another name"),
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

/** Converts the settings of users. The stack's rotation is the default of each user. */
export function usersOf(
  users: Readonly<Record<string, BearerTokenUserSettings>> = {},
  defaultRotation: Rotation | undefined,
): Readonly<Record<string, BearerTokenUserSettings>> {
  return Object.fromEntries(
    Object.entries(users).map(([key, value]) => [key, { rotation: defaultRotation, ...value }]),
  );
}

/** Refuses conflicts of users with each other, with the reviewer and with the verifier. */
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
    const inNamespace = all.filter(([, other]) => other.namespace === namespace);
    const shared = [reviewer.namespace, reviewer.verifier?.namespace].includes(namespace) || inNamespace.length > 1;
    if (createNamespace && shared) {
      problem(
        `.${key}.createNamespace is true, but the namespace ${namespace} is also that of another user, the reviewer or the verifier. Create it beforehand and unset createNamespace`,
      );
    }
  }
}
