import { createPrivateKey, X509Certificate } from "node:crypto";
import { type Body, flag, number, optional, Refusal, required, textFlag } from "./failures.ts";

/** An auth config in the fields of a gateway's answer. */
export interface StoredConfig {
  readonly id: string;
  readonly name: string;
  readonly auth_method_access_id: string;
  readonly auth_method_prv_key_pem: string;
  readonly am_token_expiration: number;
  readonly cluster_api_type: "native_k8s" | "rancher";
  readonly k8s_auth_type: "bearer_token" | "client_cert";
  readonly k8s_host: string;
  readonly k8s_ca_cert: string;
  readonly k8s_issuer: string;
  readonly k8s_token_reviewer_jwt: string;
  readonly k8s_client_cert_data: string;
  readonly k8s_client_key_data: string;
  readonly rancher_api_key: string;
  readonly rancher_cluster_id: string;
  readonly disable_iss_validation: boolean;
  readonly use_local_ca_jwt: boolean;
}

/** Decodes PEM from base64 in one line. @throws Refusal */
export function pemOf(field: string, value: string): string {
  const decoded = /^[A-Za-z0-9+/]+={0,2}$/.test(value) ? Buffer.from(value, "base64").toString("utf8") : "";
  if (decoded.startsWith("-----BEGIN ")) return decoded;
  throw new Refusal(400, `${field}: failed to decode: not base64 of a PEM`, "InvalidParam");
}

/**
 * The auth config of a create or an update. An update replaces all fields. The checks are as strict as the documents allow.
 *
 * @throws Refusal
 */
export function configFrom(body: Body, id: string, name: string): StoredConfig {
  const clusterApiType = optional(body, "cluster-api-type") || "native_k8s";
  const authType = optional(body, "k8s-auth-type") || "token";
  const isOwnAccount = flag(body, "use-gw-service-account") ?? false;
  if (!["native_k8s", "rancher"].includes(clusterApiType)) throw invalid("cluster-api-type: unknown");
  if (!["token", "certificate"].includes(authType)) throw invalid("k8s-auth-type: unknown");
  const config: StoredConfig = {
    id,
    name,
    auth_method_access_id: required(body, "access-id"),
    auth_method_prv_key_pem: required(body, "signing-key"),
    am_token_expiration: number(body, "token-exp") || 300,
    cluster_api_type: clusterApiType as StoredConfig["cluster_api_type"],
    k8s_auth_type: authType === "certificate" ? "client_cert" : "bearer_token",
    // A gateway that reviews as its own ServiceAccount knows its API server.
    k8s_host: isOwnAccount ? (optional(body, "k8s-host") ?? "") : required(body, "k8s-host"),
    k8s_ca_cert: optional(body, "k8s-ca-cert") ?? "",
    k8s_issuer: optional(body, "k8s-issuer") || "kubernetes/serviceaccount",
    k8s_token_reviewer_jwt: optional(body, "token-reviewer-jwt") ?? "",
    k8s_client_cert_data: optional(body, "k8s-client-certificate") ?? "",
    k8s_client_key_data: optional(body, "k8s-client-key") ?? "",
    rancher_api_key: optional(body, "rancher-api-key") ?? "",
    rancher_cluster_id: optional(body, "rancher-cluster-id") ?? "",
    disable_iss_validation: textFlag(body, "disable-issuer-validation") ?? false,
    use_local_ca_jwt: isOwnAccount,
  };
  checkMaterial(config);
  return config;
}

function invalid(message: string): Refusal {
  return new Refusal(400, message, "InvalidParam");
}

function checkMaterial(config: StoredConfig): void {
  const key = readable("signing-key", () => createPrivateKey(pemOf("signing-key", config.auth_method_prv_key_pem)));
  if (key.asymmetricKeyType !== "rsa") throw invalid("signing-key: not an RSA key");
  if (config.k8s_ca_cert !== "") {
    const pem = pemOf("k8s-ca-cert", config.k8s_ca_cert);
    readable("k8s-ca-cert", () => new X509Certificate(pem));
  }
  if (config.cluster_api_type === "rancher") {
    if (!config.rancher_api_key || !config.rancher_cluster_id) {
      throw invalid("rancher-api-key and rancher-cluster-id are required for rancher");
    }
    if (/\s/.test(config.rancher_api_key)) throw invalid("rancher-api-key: not a bearer token");
  } else if (config.k8s_auth_type === "client_cert") {
    const certificate = pemOf("k8s-client-certificate", config.k8s_client_cert_data);
    const clientKey = pemOf("k8s-client-key", config.k8s_client_key_data);
    const fits = readable("k8s-client-certificate", () =>
      new X509Certificate(certificate).checkPrivateKey(createPrivateKey(clientKey)),
    );
    if (!fits) throw invalid("k8s-client-key: does not belong to the certificate");
  } else if (config.k8s_token_reviewer_jwt !== "" && !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(config.k8s_token_reviewer_jwt)) {
    throw invalid("token-reviewer-jwt: token contains an invalid number of segments");
  }
}

function readable<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw invalid(`${field}: could not be parsed`);
  }
}
