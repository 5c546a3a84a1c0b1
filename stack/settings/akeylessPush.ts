import type * as pulumi from "@pulumi/pulumi";
import * as v from "valibot";
import { type AkeylessGrant, rolePath } from "../../components/akeyless/akeylessGateway.ts";
import type { AkeylessSubClaims } from "../../components/akeyless/resources.ts";
import type { Refuse } from "./read.ts";
import {
  account,
  fields,
  httpsUrl,
  list,
  nonEmptyText,
  object,
  record,
  seconds,
  text,
  trueOrFalse,
  type Values,
} from "./setting.ts";

const nameList = v.pipe(v.array(nonEmptyText, "must be a list of names"), v.minLength(1, "must not be empty"));

const days = "must be a number of days from 1 to 9999";
const day = v.pipe(v.number(days), v.safeInteger(days), v.minValue(1, days), v.maxValue(9999, days));

const number = "must be a whole number";
const wholeNumber = v.pipe(v.number(number), v.safeInteger(number), v.minValue(0, number));

const authMethod = fields({
  name: v.optional(nonEmptyText),
  boundNamespaces: v.optional(nameList),
  boundServiceAccountNames: v.optional(nameList),
  boundPodNames: v.optional(nameList),
  forceSubClaims: v.optional(trueOrFalse),
  boundIps: v.optional(nameList),
  gatewayBoundIps: v.optional(nameList),
  accessExpires: v.optional(wholeNumber),
  jwtTtl: v.optional(wholeNumber),
  auditLogsClaims: v.optional(nameList),
  expirationEventIn: v.optional(
    v.pipe(
      v.array(day, "must be a list of days"),
      v.transform((list) => list.map(String)),
    ),
  ),
  allowedClientTypes: v.optional(nameList),
  productTypes: v.optional(nameList),
  description: v.optional(nonEmptyText),
  deleteProtection: v.optional(trueOrFalse),
});

const certificateItem = fields({
  eventForwarder: v.optional(nonEmptyText),
  description: v.optional(nonEmptyText),
  tags: v.optional(nameList),
  deleteProtection: v.optional(trueOrFalse),
});

const capability = v.picklist(
  ["read", "create", "update", "delete", "list", "deny"],
  "must be read, create, update, delete, list or deny",
);
const ruleType = v.picklist(
  ["item-rule", "target-rule", "role-rule", "auth-method-rule"],
  "must be item-rule, target-rule, role-rule or auth-method-rule",
);
const rule = fields({
  path: nonEmptyText,
  capabilities: v.pipe(v.array(capability, "must be a list"), v.minLength(1, "must not be empty")),
  type: v.optional(ruleType),
});
const ruleSets = record(
  v.string(),
  v.array(rule, "must be a list of rules"),
  "must be an object of roles with their rules",
);

const claims = record(
  v.string(),
  v.union([nonEmptyText, nameList], "must be text or a list of texts"),
  "must be an object of sub-claims",
);
const roles = v.pipe(
  record(v.string(), claims, "must be an object of roles with their sub-claims"),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const role of Object.keys(dataset.value)) {
      const path = rolePath(role);
      if (path !== role && path in dataset.value)
        addIssue({ message: `names the role ${path} twice, with and without the leading slash` });
    }
  }),
) as v.GenericSchema<unknown, Readonly<Record<string, AkeylessSubClaims>>>;

/** Objects that `akeylessPush` creates, and the APIs that it calls. */
export const akeylessPushSettings = {
  akeylessGatewayApi: text(
    {
      inputs: ["AkeylessGatewayAuthConfig.gatewayApi"],
      unset: "`akeylessGatewayUrl` with `/api/v2`",
      description:
        "Base URL of the gateway's REST API v2, for auth configs. An older gateway serves it on another port: `https://GATEWAY:8081`.",
    },
    httpsUrl,
  ),
  akeylessApi: text(
    {
      inputs: ["AkeylessAuthMethod.apiUrl", "AkeylessCertificate.apiUrl", "AkeylessRoleAssociation.apiUrl"],
      unset: "`https://api.akeyless.io`",
      description: "Base URL of the REST API for auth method, certificate and roles. A gateway's API also serves it.",
    },
    httpsUrl,
  ),
  akeylessCa: text({
    inputs: [
      "AkeylessGatewayAuthConfig.caPem",
      "AkeylessAuthMethod.caPem",
      "AkeylessCertificate.caPem",
      "AkeylessRoleAssociation.caPem",
    ],
    unset: "public CAs",
    description: "CA certificates of the gateway, and of `akeylessApi` if that is set, PEM.",
  }),
  akeylessAuthMethod: object(authMethod, {
    unset: "an unbound auth method, which is refused",
    example: "'akeylessAuthMethod.boundNamespaces[0]' shop",
    description:
      "The auth method that is created if `akeylessAccessId` is not set: `{name, boundNamespaces, boundServiceAccountNames, boundPodNames, boundIps, gatewayBoundIps, forceSubClaims, accessExpires, jwtTtl, expirationEventIn, auditLogsClaims, allowedClientTypes, productTypes, description, deleteProtection}`. `accessExpires` is in Unix time, `jwtTtl` in minutes, `expirationEventIn` a list of days. Its name is `/k8sauth/STACK` by default. At least one of `boundNamespaces`, `boundServiceAccountNames`, `boundPodNames` and `forceSubClaims` is required.",
  }),
  akeylessRoles: object(roles, {
    unset: "none",
    example: "'akeylessRoles[\"/shop/reader\"].namespace' shop",
    description:
      "Roles, each with the sub-claims that a login must have: `{/shop/reader: {namespace: shop, service_account_name: till}}`. Values may contain `*` and `?`; see [Akeyless](akeyless.md#roles-and-claims).",
  }),
  akeylessRoleRules: object(ruleSets, {
    unset: "none",
    example: "'akeylessRoleRules[\"/shop/reader\"][0].path' '/shop/*'",
    description:
      "Creates roles of `akeylessRoles` with these rules: `{/shop/reader: [{path: /shop/*, capabilities: [read]}]}`. The other roles must exist.",
  }),
  akeylessTokenExpiration: seconds(1, {
    unset: "the gateway's, 300",
    description: "Lifetime in seconds of the token by which the gateway confirms a login.",
  }),
  akeylessCertificateName: text({
    inputs: ["AkeylessCertificate.name"],
    unset: "`/k8sauth/STACK/certificate`",
    description: "Name of the Akeyless item that contains the client certificate.",
  }),
  akeylessCertificateItem: object(certificateItem, {
    unset: "none",
    example: "akeylessCertificateItem.eventForwarder /mail",
    description:
      "Further properties of that item: `{eventForwarder, description, tags, deleteProtection}`. Only an Event Forwarder sends notices to people. A run warns if the named one does not send these.",
  }),
  akeylessExpiryNoticeDays: list(day, {
    inputs: ["AkeylessCertificate.expirationEventIn"],
    default: [30, 7],
    example: "'akeylessExpiryNoticeDays[0]' 30",
    description:
      "Days before the certificate's expiry at which Akeyless raises an event. An empty list registers no certificate.",
  }),
  akeylessProofAccount: text(
    {
      inputs: ["AkeylessGatewayAuthConfig.proofAccount"],
      unset: "none",
      description:
        "`NAMESPACE/NAME` of a ServiceAccount that may log in. Every push is then proved by a login with a token of this account, and reverted if the login is refused.",
    },
    account,
  ),
} as const;

/** Objects that `akeylessPush` creates at the gateway and in the Akeyless account. */
export interface AkeylessPushSettings {
  readonly gatewayApi: string;
  /** Base URL of the REST API for auth method, certificate and roles. @default the API of the service */
  readonly apiUrl?: string;
  /** CA of the gateway, and of `apiUrl` if that is set, PEM. @default public CAs */
  readonly caPem?: string;
  /** Undefined if the settings name an existing auth method. */
  readonly authMethod?: AuthMethodSettings;
  readonly roles: Readonly<Record<string, AkeylessGrant>>;
  /** In seconds. @default the gateway's, 300 */
  readonly tokenExpiration?: number;
  readonly certificateName: string;
  readonly certificateItem: v.InferOutput<typeof certificateItem>;
  readonly expiryNoticeDays: readonly number[];
  /** `NAMESPACE/NAME`. Pushes are proved by a login only if it is set. */
  readonly proofAccount?: string;
}

type AuthMethodSettings = v.InferOutput<typeof authMethod> & { readonly name: string };

/** Settings of other areas on which a push depends. */
interface GatewaySettings {
  readonly akeylessGatewayUrl: string | undefined;
  readonly akeylessAccessId: string | undefined;
  readonly akeylessSigningKey: pulumi.Output<string> | undefined;
}

/** Converts the settings of a push and refuses contradictions. */
export function akeylessPushOf(
  values: Values<typeof akeylessPushSettings> & GatewaySettings,
  stack: string,
  refuse: Refuse,
): AkeylessPushSettings {
  const { akeylessGatewayUrl: gatewayUrl, akeylessAccessId: accessId, akeylessSigningKey: signingKey } = values;
  const { akeylessAuthMethod: given, akeylessRoles = {} } = values;
  if (!gatewayUrl) refuse(["akeylessPush", "akeylessGatewayUrl"], "is true, but k8sauth:akeylessGatewayUrl is not set");
  if (accessId && !signingKey) {
    refuse(["akeylessAccessId", "akeylessSigningKey"], "is set, but k8sauth:akeylessSigningKey is not");
  }
  if (accessId && given) refuse(["akeylessAuthMethod"], "contradicts k8sauth:akeylessAccessId. Set one of them");
  if (accessId && Object.keys(akeylessRoles).length > 0) {
    refuse(
      ["akeylessRoles"],
      "is set, but roles are for the auth method that is created without k8sauth:akeylessAccessId",
    );
  }
  const bound = [given?.boundNamespaces, given?.boundServiceAccountNames, given?.boundPodNames].some(Boolean);
  if (!accessId && !bound && !given?.forceSubClaims) {
    refuse(
      ["akeylessAuthMethod", "akeylessAccessId"],
      "binds the auth method to nothing, so every workload of the cluster could log in. Set boundNamespaces, boundServiceAccountNames, boundPodNames or forceSubClaims",
    );
  }
  return {
    gatewayApi: values.akeylessGatewayApi ?? `${gatewayUrl}/api/v2`,
    apiUrl: values.akeylessApi,
    caPem: values.akeylessCa,
    authMethod: accessId ? undefined : { name: `/k8sauth/${stack}`, ...given },
    roles: grantsOf(akeylessRoles, values.akeylessRoleRules ?? {}, refuse),
    tokenExpiration: values.akeylessTokenExpiration,
    certificateItem: values.akeylessCertificateItem ?? {},
    certificateName: values.akeylessCertificateName ?? `/k8sauth/${stack}/certificate`,
    expiryNoticeDays: values.akeylessExpiryNoticeDays,
    proofAccount: values.akeylessProofAccount,
  };
}

/** Roles with their sub-claims and, for a role that the stack creates, its rules. */
function grantsOf(
  roles: Readonly<Record<string, AkeylessSubClaims>>,
  rules: v.InferOutput<typeof ruleSets>,
  refuse: Refuse,
): Readonly<Record<string, AkeylessGrant>> {
  const byPath = new Map(Object.entries(rules).map(([role, list]) => [rolePath(role), list]));
  const granted = new Set(Object.keys(roles).map(rolePath));
  for (const role of byPath.keys()) {
    if (!granted.has(role))
      refuse(["akeylessRoleRules"], `has the role ${role}, which k8sauth:akeylessRoles does not grant`);
  }
  return Object.fromEntries(
    Object.entries(roles).map(([role, subClaims]) => [role, { claims: subClaims, rules: byPath.get(rolePath(role)) }]),
  );
}
