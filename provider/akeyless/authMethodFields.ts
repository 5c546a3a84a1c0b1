import type { Fields } from "../protocol/fields.ts";
import { apiFields } from "./api/endpoint.ts";
import { describedBody, describedUpdate, driftField, eventDays } from "./api/object.ts";
import type { Shaped } from "./api/shape.ts";
import { base64OfPem, isSamePublicKey } from "./keyEncoding.ts";

export interface AuthMethodSettings {
  readonly name: string;
  readonly publicKey?: string;
  readonly boundNamespaces?: readonly string[];
  readonly boundPodNames?: readonly string[];
  readonly boundServiceAccountNames?: readonly string[];
  readonly audience?: string;
  readonly forceSubClaims?: boolean;
  readonly boundIps?: readonly string[];
  readonly gatewayBoundIps?: readonly string[];
  readonly accessExpires?: number;
  readonly jwtTtl?: number;
  readonly auditLogsClaims?: readonly string[];
  readonly expirationEventIn?: readonly string[];
  readonly allowedClientTypes?: readonly string[];
  readonly productTypes?: readonly string[];
  readonly description?: string;
  readonly deleteProtection?: boolean;
}

const settings: Fields = {
  name: { type: "string", required: true },
  publicKey: { type: "string" },
  boundNamespaces: { type: "strings" },
  boundPodNames: { type: "strings" },
  boundServiceAccountNames: { type: "strings" },
  audience: { type: "string" },
  forceSubClaims: { type: "boolean" },
  boundIps: { type: "strings" },
  gatewayBoundIps: { type: "strings" },
  accessExpires: { type: "integer" },
  jwtTtl: { type: "integer" },
  auditLogsClaims: { type: "strings" },
  expirationEventIn: { type: "days" },
  allowedClientTypes: { type: "strings" },
  productTypes: { type: "strings" },
  description: { type: "string" },
  deleteProtection: { type: "boolean" },
};

export const authMethodInputs: Fields = { ...apiFields, ...settings };

export const authMethodOutputs: Fields = {
  ...apiFields,
  name: { type: "string" },
  accessId: { type: "string" },
  privateKey: { type: "string", secret: true },
  ...driftField,
};

/** Inputs that an update can change, except for the name. */
export const updatableFields = Object.keys(settings).filter((name) => !["publicKey", "name"].includes(name));

/** Fields of the request, by our names. */
const request: Readonly<Record<string, string>> = {
  boundNamespaces: "bound-namespaces",
  boundPodNames: "bound-pod-names",
  boundServiceAccountNames: "bound-sa-names",
  audience: "audience",
  forceSubClaims: "force-sub-claims",
  boundIps: "bound-ips",
  gatewayBoundIps: "gw-bound-ips",
  accessExpires: "access-expires",
  jwtTtl: "jwt-ttl",
  auditLogsClaims: "audit-logs-claims",
  expirationEventIn: "expiration-event-in",
  allowedClientTypes: "allowed-client-type",
  productTypes: "product-type",
};

/** Bounds that allow everything. An update sends all bounds, so that bounds set outside of this stack are removed. */
export const noBounds = {
  boundNamespaces: [],
  boundPodNames: [],
  boundServiceAccountNames: [],
  audience: "",
  forceSubClaims: false,
  boundIps: [],
  gatewayBoundIps: [],
  accessExpires: 0,
} as const satisfies Partial<AuthMethodSettings>;

/**
 * The body of auth-method-create-k8s and auth-method-update-k8s, without names. A field that was set before and is unset now gets the empty
 * value.
 */
export function methodBody(inputs: AuthMethodSettings, before: Partial<AuthMethodSettings> = {}): object {
  const now = inputs as unknown as Readonly<Record<string, unknown>>;
  const then = before as unknown as Readonly<Record<string, unknown>>;
  const entries = Object.entries(request).flatMap(([name, field]): [string, unknown][] => {
    if (now[name] !== undefined) return [[field, now[name]]];
    return then[name] === undefined ? [] : [[field, emptyOf(then[name])]];
  });
  return {
    ...Object.fromEntries(entries),
    ...describedBody(describedUpdate(inputs, before)),
    ...(inputs.publicKey === undefined ? {} : { "gen-key": "false", "public-key": base64OfPem(inputs.publicKey) }),
  };
}

function emptyOf(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  if (typeof value === "boolean") return false;
  return typeof value === "number" ? 0 : "";
}

/** The fields that are read from an auth method. */
export const methodShape = {
  auth_method_access_id: "string",
  description: "string",
  delete_protection: "boolean",
  expiration_events: [{ seconds_before: "number" }],
  access_info: {
    access_expires: "number",
    jwt_ttl: "number",
    force_sub_claims: "boolean",
    cidr_whitelist: "string",
    gw_cidr_whitelist: "string",
    audit_logs_claims: ["string"],
    allowed_client_type: ["string"],
    product_types: ["string"],
    k8s_access_rules: {
      audience: "string",
      bound_namespaces: ["string"],
      bound_pod_names: ["string"],
      bound_service_account_names: ["string"],
      pub_key: "string",
    },
  },
} as const;

export type LiveMethod = Shaped<typeof methodShape>;

/**
 * The inputs in which a method differs. An input that is not set does not count. A bound that is not set does, because bounds decide which
 * workloads may log in.
 */
export function methodDifferences(inputs: Partial<AuthMethodSettings>, live: LiveMethod): string[] {
  const info = live.access_info ?? {};
  const rules = info.k8s_access_rules ?? {};
  const { publicKey } = inputs;
  const checks: readonly (readonly [string, boolean])[] = [
    ["boundNamespaces", sameSet(inputs.boundNamespaces, rules.bound_namespaces)],
    ["boundPodNames", sameSet(inputs.boundPodNames, rules.bound_pod_names)],
    ["boundServiceAccountNames", sameSet(inputs.boundServiceAccountNames, rules.bound_service_account_names)],
    ["audience", (inputs.audience ?? "") === (rules.audience ?? "")],
    ["forceSubClaims", (inputs.forceSubClaims ?? false) === (info.force_sub_claims ?? false)],
    ["boundIps", sameSet(inputs.boundIps, list(info.cidr_whitelist))],
    ["gatewayBoundIps", sameSet(inputs.gatewayBoundIps, list(info.gw_cidr_whitelist))],
    ["accessExpires", (inputs.accessExpires ?? 0) === (info.access_expires ?? 0)],
    ["jwtTtl", !inputs.jwtTtl || inputs.jwtTtl === info.jwt_ttl],
    ["auditLogsClaims", unsetOrSame(inputs.auditLogsClaims, info.audit_logs_claims)],
    ["expirationEventIn", unsetOrSame(inputs.expirationEventIn, eventDays(live.expiration_events))],
    ["allowedClientTypes", unsetOrSame(inputs.allowedClientTypes, info.allowed_client_type)],
    ["productTypes", unsetOrSame(inputs.productTypes, info.product_types)],
    ["description", inputs.description === undefined || inputs.description === (live.description ?? "")],
    [
      "deleteProtection",
      inputs.deleteProtection === undefined || inputs.deleteProtection === (live.delete_protection ?? false),
    ],
    ["publicKey", publicKey === undefined || !rules.pub_key || isSamePublicKey(publicKey, rules.pub_key)],
  ];
  return checks.filter(([, equal]) => !equal).map(([name]) => name);
}

/** An input that is not set has the account's value, so it does not count. */
function unsetOrSame(wanted: readonly string[] | undefined, found: readonly string[] | null | undefined): boolean {
  return wanted === undefined || sameSet(wanted, found);
}

function sameSet(left: readonly string[] = [], right: readonly string[] | null | undefined): boolean {
  const theirs = new Set(right ?? []);
  return new Set(left).size === theirs.size && left.every((value) => theirs.has(value));
}

function list(text: string | null | undefined): string[] {
  return (text ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}
