import {
  type CertificateAccess,
  type ClusterAccess,
  GatewayInputError,
  type RancherAccess,
  type TokenAccess,
} from "./access.ts";
import {
  apiServer,
  type Base64Pem,
  base64,
  certificatesPem,
  type Jwt,
  keyPairPem,
  rawIssuer,
  rawJwt,
  signingKey,
} from "./encoding.ts";
import { rancherApiKey, rancherClusterId, rancherServerUrl } from "./rancher.ts";

/** Credentials of an auth method, from Akeyless. */
export interface AkeylessCredentials {
  /** Access id, `p-…`. */
  readonly accessId: string;
  /** `prv_key`: base64 of a PEM RSA private key. Akeyless returns it once, when it creates the auth method. Secret. */
  readonly signingKey: string;
}

/** Settings of an auth config that do not depend on the cluster. */
export interface AkeylessOptions {
  /** Name of the auth config, which workloads pass when they log in. */
  readonly name: string;
  /** Whether the gateway compares the issuer of a token. The API server always does. */
  readonly validateIssuer: boolean;
  /** Lifetime in seconds of the token by which the gateway confirms a login. @default the gateway's, 300 */
  readonly tokenExpiration?: number;
}

/**
 * The common fields of `gateway-create-k8s-auth-config`, with the field names of the REST API. The CLI's flags are these names after `--`.
 * Terraform's arguments have `_` instead of `-`. Optional fields that do not apply are absent.
 */
interface AkeylessClusterAuthConfig {
  /** Name of the auth config, which workloads pass when they log in. */
  readonly name: string;
  /** Access id of the auth method, `p-…`. */
  readonly "access-id": string;
  /** The auth method's private key, with which the gateway confirms logins. Secret. */
  readonly "signing-key": Base64Pem;
  /** https URL of the API server, or of Rancher, without a trailing slash. */
  readonly "k8s-host": string;
  /** CA certificates of the host. Absent if a public CA signed the host's certificate. */
  readonly "k8s-ca-cert"?: Base64Pem;
  /** Issuer of workloads' tokens. Absent if it is unknown. */
  readonly "k8s-issuer"?: string;
  /** Text, not a boolean. Always set, because documents and clients disagree about its default. */
  readonly "disable-issuer-validation": "true" | "false";
  /** Lifetime in seconds of the token by which the gateway confirms a login. Absent for the gateway's default, 300. */
  readonly "token-exp"?: number;
}

interface AkeylessNativeAuthConfig extends AkeylessClusterAuthConfig {
  /** The gateway calls the API server itself. */
  readonly "cluster-api-type": "native_k8s";
}

/** Auth config of the token flow: `gateway-create-k8s-auth-config` with a reviewer's bearer token. */
export interface AkeylessTokenAuthConfig extends AkeylessNativeAuthConfig {
  /** The gateway authenticates with the bearer token. */
  readonly "k8s-auth-type": "token";
  /** The reviewer's token. Secret. */
  readonly "token-reviewer-jwt": Jwt;
}

/** Auth config of the certificate flow: `gateway-create-k8s-auth-config` with a client certificate. */
export interface AkeylessCertificateAuthConfig extends AkeylessNativeAuthConfig {
  /** The gateway authenticates with the client certificate. */
  readonly "k8s-auth-type": "certificate";
  /** The certificate, followed by the chain that its signer added. */
  readonly "k8s-client-certificate": Base64Pem;
  /** Its private key. Secret. */
  readonly "k8s-client-key": Base64Pem;
}

/** Auth config through Rancher: `gateway-create-k8s-auth-config` with an API key. */
export interface AkeylessRancherAuthConfig extends AkeylessClusterAuthConfig {
  /** The gateway calls the API server through Rancher. */
  readonly "cluster-api-type": "rancher";
  /** The bearer token `NAME:SECRET`, without "Bearer ". Secret. */
  readonly "rancher-api-key": string;
  /** Id of the cluster in Rancher, such as `c-m-abcd1234` or `local`. */
  readonly "rancher-cluster-id": string;
}

/** Auth config of a gateway that runs in the cluster and reviews as its own ServiceAccount, with the CA and token of its pod. */
export interface AkeylessGatewayAccountAuthConfig extends Omit<AkeylessNativeAuthConfig, "k8s-ca-cert"> {
  /** The gateway authenticates with the bearer token of its pod. */
  readonly "k8s-auth-type": "token";
  /** Terraform and the answers of the API call it `use_local_ca_jwt`. */
  readonly "use-gw-service-account": true;
}

/** An auth config of any kind. */
export type AkeylessAuthConfig =
  | AkeylessTokenAuthConfig
  | AkeylessCertificateAuthConfig
  | AkeylessRancherAuthConfig
  | AkeylessGatewayAccountAuthConfig;

/** Kinds of auth configs. Workloads use the first one that the stack has. */
export const akeylessKinds = ["token", "certificate", "rancher", "gatewayAccount"] as const;
export type AkeylessKind = (typeof akeylessKinds)[number];

const suffixes: Readonly<Record<AkeylessKind, string>> = {
  token: "",
  certificate: "-certificate",
  rancher: "-rancher",
  gatewayAccount: "-gateway-account",
};

/**
 * Name of the auth config of a kind, unique at the gateway: `name` for the token, and `name` with the kind as a suffix for all others. The
 * suffix does not depend on other flows, so adding or removing a flow renames no config.
 */
export function akeylessConfigName(name: string, kind: AkeylessKind): string {
  return name + suffixes[kind];
}

/**
 * Auth config with which an Akeyless Gateway reviews tokens by a reviewer's token.
 *
 * @throws GatewayInputError that names the invalid field
 */
export function akeylessTokenAuthConfig(
  access: TokenAccess,
  credentials: AkeylessCredentials,
  options: AkeylessOptions,
): AkeylessTokenAuthConfig {
  return {
    ...nativeAuthConfig(access, credentials, options),
    "k8s-auth-type": "token",
    "token-reviewer-jwt": rawJwt("token-reviewer-jwt", access.token),
  };
}

/**
 * Auth config with which an Akeyless Gateway reviews tokens by a client certificate.
 *
 * @throws GatewayInputError that names the invalid field
 */
export function akeylessCertificateAuthConfig(
  access: CertificateAccess,
  credentials: AkeylessCredentials,
  options: AkeylessOptions,
): AkeylessCertificateAuthConfig {
  const { certificate, key } = keyPairPem({ certificate: "k8s-client-certificate", key: "k8s-client-key" }, access);
  return {
    ...nativeAuthConfig(access, credentials, options),
    "k8s-auth-type": "certificate",
    "k8s-client-certificate": base64(certificate),
    "k8s-client-key": base64(key),
  };
}

/**
 * Auth config with which an Akeyless Gateway reviews tokens through Rancher. `k8s-auth-type` does not apply.
 *
 * @throws GatewayInputError that names the invalid field
 */
export function akeylessRancherAuthConfig(
  access: RancherAccess,
  credentials: AkeylessCredentials,
  options: AkeylessOptions,
): AkeylessRancherAuthConfig {
  return {
    ...clusterAuthConfig(access, credentials, options),
    "cluster-api-type": "rancher",
    "k8s-host": rancherServerUrl("k8s-host", access.host),
    "rancher-api-key": rancherApiKey("rancher-api-key", access.apiKey),
    "rancher-cluster-id": rancherClusterId("rancher-cluster-id", access.clusterId),
  };
}

/**
 * Auth config with which an Akeyless Gateway that runs in the cluster reviews tokens as its own ServiceAccount. The account needs
 * `create tokenreviews`. Unlike the CLI, the REST API requires a host: a pod reaches `https://kubernetes.default.svc`.
 *
 * @throws GatewayInputError that names the invalid field
 */
export function akeylessGatewayAccountAuthConfig(
  access: ClusterAccess,
  credentials: AkeylessCredentials,
  options: AkeylessOptions,
): AkeylessGatewayAccountAuthConfig {
  return {
    ...nativeAuthConfig({ ...access, caPem: "" }, credentials, options),
    "k8s-auth-type": "token",
    "use-gw-service-account": true,
  };
}

function nativeAuthConfig(
  access: ClusterAccess,
  credentials: AkeylessCredentials,
  options: AkeylessOptions,
): AkeylessNativeAuthConfig {
  return { ...clusterAuthConfig(access, credentials, options), "cluster-api-type": "native_k8s" };
}

function clusterAuthConfig(
  { host, caPem, issuer }: ClusterAccess,
  credentials: AkeylessCredentials,
  { name, validateIssuer, tokenExpiration }: AkeylessOptions,
): AkeylessClusterAuthConfig {
  if (tokenExpiration !== undefined && !(Number.isSafeInteger(tokenExpiration) && tokenExpiration > 0)) {
    throw new GatewayInputError("token-exp", "is not a number of seconds above 0");
  }
  if (validateIssuer && issuer === "") {
    throw new GatewayInputError("k8s-issuer", "is unknown and cannot be validated. Set validateIssuer to false");
  }
  return {
    name,
    "access-id": akeylessAccessId("access-id", credentials.accessId),
    "signing-key": akeylessSigningKey("signing-key", credentials.signingKey),
    "k8s-host": apiServer("k8s-host", host),
    ...(caPem && { "k8s-ca-cert": base64(certificatesPem("k8s-ca-cert", caPem)) }),
    ...(issuer && { "k8s-issuer": rawIssuer("k8s-issuer", issuer) }),
    "disable-issuer-validation": validateIssuer ? "false" : "true",
    ...(tokenExpiration !== undefined && { "token-exp": tokenExpiration }),
  };
}

/** Checks the access id of an auth method. @throws GatewayInputError that names the field */
export function akeylessAccessId(field: string, value: string): string {
  const id = value.trim();
  if (/^p-[a-z0-9]+$/i.test(id)) return id;
  throw new GatewayInputError(field, 'is not an access id of Akeyless ("p-" and letters or digits)');
}

/** Encodes the private key of an auth method for auth configs. @throws GatewayInputError that names the field */
export function akeylessSigningKey(field: string, value: string): Base64Pem {
  return signingKey(field, value);
}

/** The parameters and the volume with which a workload logs in at Akeyless. None of them is secret. */
export interface AkeylessWorkloadLogin {
  /** Kind of auth method. */
  readonly accessType: "k8s";
  /** Access id of the auth method, `p-…`. */
  readonly accessId: string;
  /** URL of the gateway. */
  readonly gatewayUrl: string;
  /** Name of the auth config at the gateway. */
  readonly k8sAuthConfigName: string;
  /** Path of the token that `volume` and `volumeMount` mount. */
  readonly k8sTokenPath: string;
  /** Volume for the pod's spec, with the projected token. */
  readonly volume: Readonly<Record<string, unknown>>;
  /** Mount of the volume for the container's spec. */
  readonly volumeMount: Readonly<Record<string, unknown>>;
}

/** The login of a workload whose pod mounts a projected token for the gateway. @throws GatewayInputError if the access id is invalid */
export function akeylessWorkloadLogin(options: {
  readonly accessId: string;
  readonly gatewayUrl: string;
  readonly authConfigName: string;
  readonly audience: string;
}): AkeylessWorkloadLogin {
  const { volume, volumeMount, tokenPath } = projectedToken(options.audience);
  return {
    accessType: "k8s",
    accessId: akeylessAccessId("accessId", options.accessId),
    gatewayUrl: options.gatewayUrl,
    k8sAuthConfigName: options.authConfigName,
    k8sTokenPath: tokenPath,
    volume,
    volumeMount,
  };
}

/**
 * A projected volume with a token of the pod's ServiceAccount, and its mount. The kubelet renews the token.
 *
 * @param audience audience of the token; "" for the API server's own
 * @param name name of the volume
 */
export function projectedToken(audience: string, name = "gateway-token", mountPath = "/var/run/secrets/k8sauth") {
  return {
    tokenPath: `${mountPath}/token`,
    // Not 3607 s: the API server extends the lifetime of a token that is requested for exactly 3607 s to a year.
    volume: {
      name,
      projected: {
        sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600, ...(audience && { audience }) } }],
      },
    },
    volumeMount: { name, mountPath, readOnly: true },
  };
}
