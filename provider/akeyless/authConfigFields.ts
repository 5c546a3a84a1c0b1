import type { CheckFailure, Fields } from "../protocol/fields.ts";
import { driftField } from "./api/object.ts";
import { samePem } from "./keyEncoding.ts";

/** A gateway auth config, by the REST API's field names, as gateways/akeyless.ts writes it. */
export type AuthConfig = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** An auth config as the gateway returns it, with other names and encodings. Fields may be missing. */
export type LiveConfig = Readonly<Record<string, unknown>>;

const gatewayFields: Fields = {
  gatewayApi: { type: "string", required: true },
  caPem: { type: "string" },
};

export const authConfigInputs: Fields = {
  ...gatewayFields,
  gatewayUrl: { type: "string" },
  config: { type: "map", required: true, secret: true },
  proofAccount: { type: "string" },
  proofAudience: { type: "string" },
};

export const authConfigOutputs: Fields = {
  ...gatewayFields,
  name: { type: "string" },
  accessId: { type: "string" },
  kind: { type: "string" },
  configId: { type: "string" },
  configSha256: { type: "string" },
  ...driftField,
};

const requiredFields = ["name", "access-id", "signing-key", "k8s-host"];
const callParameters = ["token", "uid-token", "json", "new-name"];

/** Checks a config that is wholly known. */
export function checkConfig(config: AuthConfig): CheckFailure[] {
  const property = "config";
  const missing = requiredFields.filter((field) => typeof config[field] !== "string" || config[field] === "");
  return [
    ...missing.map((field) => ({ property, reason: `"config" has no "${field}", which the gateway requires.` })),
    ...callParameters
      .filter((field) => field in config)
      .map((field) => ({
        property,
        reason: `"config" has "${field}", which is a parameter of the call and not of the config.`,
      })),
  ];
}

/** Which credential a config reviews with. */
export function kindOf(config: AuthConfig): string {
  if (config["use-gw-service-account"] === true) return "gateway-account";
  if (config["cluster-api-type"] === "rancher") return "rancher";
  return config["k8s-auth-type"] === "certificate" ? "certificate" : "token";
}

type Comparison = (ours: unknown, theirs: unknown) => boolean;

const text: Comparison = (ours, theirs) => String(ours) === String(theirs);
const url: Comparison = (ours, theirs) => String(ours).replace(/\/+$/, "") === String(theirs).replace(/\/+$/, "");
const pem: Comparison = (ours, theirs) => samePem(String(ours), String(theirs));
// Go omits fields that are false.
const flag: Comparison = (ours, theirs) => String(ours) === String(theirs === true || theirs === "true");
const authType: Comparison = (ours, theirs) =>
  theirs === ours || theirs === (ours === "certificate" ? "client_cert" : "bearer_token");

/** Field of the request, field of the answer, and how to compare them. */
const counterparts: readonly (readonly [string, string, Comparison])[] = [
  ["access-id", "auth_method_access_id", text],
  ["signing-key", "auth_method_prv_key_pem", pem],
  ["k8s-host", "k8s_host", url],
  ["k8s-ca-cert", "k8s_ca_cert", pem],
  ["cluster-api-type", "cluster_api_type", text],
  ["k8s-auth-type", "k8s_auth_type", authType],
  ["token-reviewer-jwt", "k8s_token_reviewer_jwt", text],
  ["k8s-client-certificate", "k8s_client_cert_data", pem],
  ["k8s-client-key", "k8s_client_key_data", pem],
  ["rancher-api-key", "rancher_api_key", text],
  ["rancher-cluster-id", "rancher_cluster_id", text],
  ["k8s-issuer", "k8s_issuer", text],
  ["token-exp", "am_token_expiration", text],
  ["disable-issuer-validation", "disable_iss_validation", flag],
  ["use-gw-service-account", "use_local_ca_jwt", flag],
];

/**
 * The fields, by the request's names, in which a gateway's config differs from ours. A flag that the answer omits is false. Other fields that it
 * omits or masks count as equal.
 */
export function differences(config: AuthConfig, live: LiveConfig): string[] {
  return counterparts
    .filter(([field, counterpart, equal]) => {
      const ours = config[field];
      const theirs = live[counterpart];
      if (ours === undefined) return false;
      if (equal !== flag && isHidden(theirs)) return false;
      if (typeof theirs === "object" && theirs !== null) return true;
      return !equal(ours, theirs);
    })
    .map(([field]) => field);
}

function isHidden(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (typeof value === "string" && /^\*+$/.test(value));
}

/** Fields that identify a config: its auth method, the cluster, the method's key, and the kind of credential. */
const identity = [
  "access-id",
  "k8s-host",
  "signing-key",
  "cluster-api-type",
  "k8s-auth-type",
  "use-gw-service-account",
];

/** The identifying fields in which an existing config differs from ours. */
export function foreignFields(config: AuthConfig, live: LiveConfig): string[] {
  return differences(config, live).filter((field) => identity.includes(field));
}

/** Whether an existing config can be this stack's own, created by a run that was killed. */
export function isOwn(config: AuthConfig, live: LiveConfig): boolean {
  return live.auth_method_access_id !== undefined && foreignFields(config, live).length === 0;
}
