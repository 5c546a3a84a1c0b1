import * as pulumi from "@pulumi/pulumi";
import { akeylessAccessId, akeylessSigningKey } from "../gateways/index.ts";
import type { AkeylessAuthMethodArgs, AkeylessSubClaims } from "./akeyless.ts";
import type { SettingsReader } from "./settingsReader.ts";

/** What the stack's settings say of Akeyless. */
export interface AkeylessSettings {
  readonly gatewayUrl?: string;
  readonly authConfigName: string;
  readonly accessId?: string;
  readonly signingKey?: pulumi.Output<string>;
  /** The ServiceAccount of a gateway that runs in the cluster and reviews as itself. */
  readonly gatewayAccount?: { readonly namespace: string; readonly serviceAccountName: string };
  /** Undefined where nothing is pushed. */
  readonly push?: AkeylessPush;
}

/** What `akeylessPush` brings to the gateway and its account. */
export interface AkeylessPush {
  readonly gatewayApi: string;
  /** Undefined for the service's own. */
  readonly apiUrl?: string;
  /** CA of the gateway, and of `apiUrl` where that is set. */
  readonly caPem?: string;
  /** Undefined where access id and signing key are given. */
  readonly authMethod?: AuthMethodSettings;
  readonly roles: Readonly<Record<string, AkeylessSubClaims>>;
  readonly certificateName: string;
  readonly expiryNoticeDays: readonly number[];
  readonly proofAccount?: string;
}

type AuthMethodSettings = Pick<AkeylessAuthMethodArgs, "forceSubClaims" | "description"> & {
  readonly name: string;
  readonly boundNamespaces?: string[];
  readonly boundPodNames?: string[];
  readonly boundServiceAccountNames?: string[];
};

export const akeylessKeys = [
  "akeylessGatewayUrl",
  "akeylessAuthConfigName",
  "akeylessAccessId",
  "akeylessSigningKey",
  "akeylessGatewayAccount",
  "akeylessPush",
  "akeylessGatewayApi",
  "akeylessApi",
  "akeylessCa",
  "akeylessAuthMethod",
  "akeylessRoles",
  "akeylessCertificateName",
  "akeylessExpiryNoticeDays",
  "akeylessProofAccount",
] as const;

type Reader = SettingsReader<(typeof akeylessKeys)[number]>;

export function readAkeyless(read: Reader): AkeylessSettings {
  const settings = {
    gatewayUrl: read.text("akeylessGatewayUrl")?.replace(/\/+$/, ""),
    authConfigName: read.text("akeylessAuthConfigName") ?? "k8s-conf",
    accessId: read.fitted("akeylessAccessId", akeylessAccessId),
    signingKey: readSigningKey(read),
    gatewayAccount: readGatewayAccount(read),
  };
  if (read.text("akeylessSigningKey") && !read.text("akeylessAccessId"))
    read.refuse("akeylessSigningKey", "is set without k8sauth:akeylessAccessId");
  return read.flag("akeylessPush", false) ? { ...settings, push: readPush(read, settings) } : settings;
}

/** Secret also where it was not set as one. */
function readSigningKey(read: Reader): pulumi.Output<string> | undefined {
  const key = read.fitted("akeylessSigningKey", akeylessSigningKey);
  return key === undefined ? undefined : pulumi.secret(key);
}

const accountPattern = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?)\/([a-z0-9]([-a-z0-9.]*[a-z0-9])?)$/;

function readGatewayAccount(read: Reader): AkeylessSettings["gatewayAccount"] {
  const value = read.text("akeylessGatewayAccount");
  if (value === undefined) return undefined;
  const [, namespace = "", , serviceAccountName = ""] = accountPattern.exec(value) ?? [];
  if (namespace === "")
    read.refuse("akeylessGatewayAccount", `is "${value}"; it is NAMESPACE/NAME of a ServiceAccount`);
  return { namespace, serviceAccountName };
}

function readPush(read: Reader, { gatewayUrl, accessId, signingKey }: AkeylessSettings): AkeylessPush {
  if (!gatewayUrl) read.refuse("akeylessPush", "is true, but k8sauth:akeylessGatewayUrl is not set");
  if (accessId && !signingKey) read.refuse("akeylessAccessId", "is set without k8sauth:akeylessSigningKey");
  const roles = readRoles(read);
  const given = read.object("akeylessAuthMethod", "an object such as {boundNamespaces: [shop]}");
  if (accessId && !isEmpty(given)) read.refuse("akeylessAuthMethod", "is set beside k8sauth:akeylessAccessId");
  if (accessId && !isEmpty(roles)) read.refuse("akeylessRoles", "is set beside k8sauth:akeylessAccessId");
  const days = read.object("akeylessExpiryNoticeDays", "a list of days such as [30, 7]") ?? [];
  if (!Array.isArray(days) || !days.every((day) => Number.isSafeInteger(day) && day > 0 && day < 10_000)) {
    read.refuse("akeylessExpiryNoticeDays", "is not a list of days such as [30, 7]");
  }
  const proofAccount = read.text("akeylessProofAccount");
  if (proofAccount && !/^[^/]+\/[^/]+$/.test(proofAccount))
    read.refuse("akeylessProofAccount", "is not NAMESPACE/NAME");
  return {
    gatewayApi: httpsUrl(read, "akeylessGatewayApi") ?? `${gatewayUrl}/api/v2`,
    apiUrl: httpsUrl(read, "akeylessApi"),
    caPem: read.text("akeylessCa"),
    authMethod: accessId ? undefined : readMethod(given, (problem) => read.refuse("akeylessAuthMethod", problem)),
    roles,
    certificateName: read.text("akeylessCertificateName") ?? `/k8sauth/${pulumi.getStack()}/certificate`,
    expiryNoticeDays: days as number[],
    proofAccount,
  };
}

function httpsUrl(read: Reader, key: "akeylessGatewayApi" | "akeylessApi"): string | undefined {
  const value = read.text(key)?.replace(/\/+$/, "");
  if (value && !value.startsWith("https://")) read.refuse(key, "is not an https URL: credentials travel to it");
  return value;
}

const lists = ["boundNamespaces", "boundPodNames", "boundServiceAccountNames"] as const;

function readMethod(value: unknown, refuse: (problem: string) => void): AuthMethodSettings {
  const expected = "name, boundNamespaces, boundPodNames, boundServiceAccountNames, forceSubClaims and description";
  const method = { name: `/k8sauth/${pulumi.getStack()}`, ...(isObject(value) ? value : {}) };
  if (!isObject(value)) refuse("is not an object such as {boundNamespaces: [shop]}");
  for (const [key, entry] of Object.entries(method)) {
    const list = (lists as readonly string[]).includes(key);
    if (!list && !["name", "forceSubClaims", "description"].includes(key)) refuse(`has "${key}"; it has ${expected}`);
    else if (list && !isNames(entry)) refuse(`: ${key} is not a list of names`);
    else if (key === "forceSubClaims" && typeof entry !== "boolean") refuse(": forceSubClaims is true or false");
    else if (["name", "description"].includes(key) && (typeof entry !== "string" || entry === ""))
      refuse(`: ${key} is not text`);
  }
  const settings = method as AuthMethodSettings;
  if (!settings.forceSubClaims && lists.every((key) => !settings[key]?.length)) {
    refuse(
      "binds the auth method to nothing, so every workload of the cluster could log in; set boundNamespaces, boundServiceAccountNames or boundPodNames, or forceSubClaims",
    );
  }
  return settings;
}

function readRoles(read: Reader): Readonly<Record<string, AkeylessSubClaims>> {
  const value = read.object("akeylessRoles", "an object such as {/shop/reader: {namespace: shop}}") ?? {};
  const fits = (claims: unknown) =>
    isObject(claims) && Object.values(claims).every((claim) => (typeof claim === "string" && claim) || isNames(claim));
  if (isObject(value) && Object.values(value).every(fits)) return value as Record<string, AkeylessSubClaims>;
  read.refuse(
    "akeylessRoles",
    "is not an object of roles with their sub-claims, such as {/shop/reader: {namespace: shop}}",
  );
  return {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  return !isObject(value) || Object.keys(value).length === 0;
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string" && name !== "");
}
