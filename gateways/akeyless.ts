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
import { rancherCluster, rancherKey, rancherRoot } from "./rancher.ts";

/** What Akeyless itself gives for an auth method. */
export interface AkeylessAuthMethod {
  /** Access id, `p-…`. */
  readonly accessId: string;
  /** `prv_key`: base64 of a PEM RSA private key; shown once, when the method is made. Secret. */
  readonly signingKey: string;
}

export interface AkeylessOptions {
  /** The config's name, which workloads pass when they log in. */
  readonly name: string;
  /** Whether the gateway compares a token's issuer itself. The API server does in any case. */
  readonly validateIssuer: boolean;
  /** Life of the token by which the gateway vouches for a login, in seconds. @default the gateway's, 300 */
  readonly tokenExpiration?: number;
}

/**
 * What every `gateway-create-k8s-auth-config` says, by the REST API's own field names. The CLI's flags are the same with
 * `--`, Terraform's with `_`. Optional fields that do not apply are absent.
 */
interface AkeylessClusterAuthConfig {
  readonly name: string;
  readonly "access-id": string;
  readonly "signing-key": Base64Pem;
  readonly "k8s-host": string;
  /** Absent where a public CA signed the host's certificate. */
  readonly "k8s-ca-cert"?: Base64Pem;
  readonly "k8s-issuer"?: string;
  /** Text, not a boolean. Always said: documents and clients disagree about its default. */
  readonly "disable-issuer-validation": "true" | "false";
  readonly "token-exp"?: number;
}

interface AkeylessNativeAuthConfig extends AkeylessClusterAuthConfig {
  readonly "cluster-api-type": "native_k8s";
}

/** By a reviewer's bearer token. */
export interface AkeylessTokenAuthConfig extends AkeylessNativeAuthConfig {
  readonly "k8s-auth-type": "token";
  readonly "token-reviewer-jwt": Jwt;
}

/** By a client certificate. */
export interface AkeylessCertificateAuthConfig extends AkeylessNativeAuthConfig {
  readonly "k8s-auth-type": "certificate";
  readonly "k8s-client-certificate": Base64Pem;
  readonly "k8s-client-key": Base64Pem;
}

/** Through Rancher, by an API key. */
export interface AkeylessRancherAuthConfig extends AkeylessClusterAuthConfig {
  readonly "cluster-api-type": "rancher";
  /** The bearer token as it is, without "Bearer ". */
  readonly "rancher-api-key": string;
  readonly "rancher-cluster-id": string;
}

/** By the ServiceAccount of the gateway's own pod, which runs in the cluster: its CA and token are the pod's. */
export interface AkeylessGatewayAccountAuthConfig extends Omit<AkeylessNativeAuthConfig, "k8s-ca-cert"> {
  readonly "k8s-auth-type": "token";
  /** What Terraform and answers call `use_local_ca_jwt`. */
  readonly "use-gw-service-account": true;
}

/** Any of the auth configs that a gateway takes. */
export type AkeylessAuthConfig =
  | AkeylessTokenAuthConfig
  | AkeylessCertificateAuthConfig
  | AkeylessRancherAuthConfig
  | AkeylessGatewayAccountAuthConfig;

/** The kinds, in the order in which workloads are told to use them. */
export const akeylessKinds = ["token", "certificate", "rancher", "gatewayAccount"] as const;
export type AkeylessKind = (typeof akeylessKinds)[number];

const suffixes: Readonly<Record<AkeylessKind, string>> = {
  token: "",
  certificate: "-certificate",
  rancher: "-rancher",
  gatewayAccount: "-gateway-account",
};

/**
 * Names the auth config of a kind; a gateway has one config of a name. The token's has the name itself. The others have their
 * kind as a suffix, also if they are alone: a flow that is added or removed must not take the name of another one.
 */
export function akeylessConfigName(name: string, kind: AkeylessKind): string {
  return name + suffixes[kind];
}

/**
 * The auth config by which an Akeyless Gateway reviews tokens with a reviewer's token.
 *
 * @throws GatewayInputError naming the field that can't be right
 */
export function akeylessTokenAuthConfig(
  access: TokenAccess,
  method: AkeylessAuthMethod,
  options: AkeylessOptions,
): AkeylessTokenAuthConfig {
  return {
    ...nativeAuthConfig(access, method, options),
    "k8s-auth-type": "token",
    "token-reviewer-jwt": rawJwt("token-reviewer-jwt", access.token),
  };
}

/**
 * The auth config by which an Akeyless Gateway reviews tokens with a client certificate.
 *
 * @throws GatewayInputError naming the field that can't be right
 */
export function akeylessCertificateAuthConfig(
  access: CertificateAccess,
  method: AkeylessAuthMethod,
  options: AkeylessOptions,
): AkeylessCertificateAuthConfig {
  const { certificate, key } = keyPairPem({ certificate: "k8s-client-certificate", key: "k8s-client-key" }, access);
  return {
    ...nativeAuthConfig(access, method, options),
    "k8s-auth-type": "certificate",
    "k8s-client-certificate": base64(certificate),
    "k8s-client-key": base64(key),
  };
}

/**
 * The auth config by which an Akeyless Gateway reviews tokens through Rancher. `k8s-auth-type` does not apply.
 *
 * @throws GatewayInputError naming the field that can't be right
 */
export function akeylessRancherAuthConfig(
  access: RancherAccess,
  method: AkeylessAuthMethod,
  options: AkeylessOptions,
): AkeylessRancherAuthConfig {
  return {
    ...clusterAuthConfig(access, method, options),
    "cluster-api-type": "rancher",
    "k8s-host": rancherRoot("k8s-host", access.host),
    "rancher-api-key": rancherKey("rancher-api-key", access.apiKey),
    "rancher-cluster-id": rancherCluster("rancher-cluster-id", access.clusterId),
  };
}

/**
 * The auth config by which an Akeyless Gateway that runs in the cluster reviews tokens as its own ServiceAccount, which then
 * needs `create tokenreviews`. The REST API asks for a host also here (the CLI does not): `https://kubernetes.default.svc`
 * is what the gateway's pod reaches.
 *
 * @throws GatewayInputError naming the field that can't be right
 */
export function akeylessGatewayAccountAuthConfig(
  access: ClusterAccess,
  method: AkeylessAuthMethod,
  options: AkeylessOptions,
): AkeylessGatewayAccountAuthConfig {
  return {
    ...nativeAuthConfig({ ...access, caPem: "" }, method, options),
    "k8s-auth-type": "token",
    "use-gw-service-account": true,
  };
}

function nativeAuthConfig(
  access: ClusterAccess,
  method: AkeylessAuthMethod,
  options: AkeylessOptions,
): AkeylessNativeAuthConfig {
  return { ...clusterAuthConfig(access, method, options), "cluster-api-type": "native_k8s" };
}

function clusterAuthConfig(
  { host, caPem, issuer }: ClusterAccess,
  method: AkeylessAuthMethod,
  { name, validateIssuer, tokenExpiration }: AkeylessOptions,
): AkeylessClusterAuthConfig {
  if (tokenExpiration !== undefined && !(Number.isSafeInteger(tokenExpiration) && tokenExpiration > 0)) {
    throw new GatewayInputError("token-exp", "is not a number of seconds above 0");
  }
  if (validateIssuer && issuer === "") {
    throw new GatewayInputError(
      "k8s-issuer",
      "the issuer is not known, so it can't be validated; turn validateIssuer off",
    );
  }
  return {
    name,
    "access-id": akeylessAccessId("access-id", method.accessId),
    "signing-key": akeylessSigningKey("signing-key", method.signingKey),
    "k8s-host": apiServer("k8s-host", host),
    ...(caPem && { "k8s-ca-cert": base64(certificatesPem("k8s-ca-cert", caPem)) }),
    ...(issuer && { "k8s-issuer": rawIssuer("k8s-issuer", issuer) }),
    "disable-issuer-validation": validateIssuer ? "false" : "true",
    ...(tokenExpiration !== undefined && { "token-exp": tokenExpiration }),
  };
}

/** An auth method's access id. @throws GatewayInputError naming the field */
export function akeylessAccessId(field: string, value: string): string {
  const id = value.trim();
  if (/^p-[a-z0-9]+$/i.test(id)) return id;
  throw new GatewayInputError(field, 'is not an access id of Akeyless ("p-" and letters or digits)');
}

/** An auth method's private key as auth configs take it. @throws GatewayInputError naming the field, that does not show it */
export function akeylessSigningKey(field: string, value: string): Base64Pem {
  return signingKey(field, value);
}

/** What a workload passes to Akeyless, and mounts, to log in. Nothing in it is secret. */
export interface AkeylessWorkloadLogin {
  readonly accessType: "k8s";
  readonly accessId: string;
  readonly gatewayUrl: string;
  readonly k8sAuthConfigName: string;
  /** Where the workload's token is mounted by `volume` and `volumeMount`. */
  readonly k8sTokenPath: string;
  readonly volume: Readonly<Record<string, unknown>>;
  readonly volumeMount: Readonly<Record<string, unknown>>;
}

/** The login of a workload whose pod mounts a projected token for the gateway. */
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

/** A pod's volume with a token of its ServiceAccount that the kubelet renews, and its mount. */
export function projectedToken(audience: string) {
  const name = "gateway-token";
  const mountPath = "/var/run/secrets/k8sauth";
  return {
    tokenPath: `${mountPath}/token`,
    // 3607 s would make the API server extend the token to a year; an hour is an hour.
    volume: {
      name,
      projected: {
        sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600, ...(audience && { audience }) } }],
      },
    },
    volumeMount: { name, mountPath, readOnly: true },
  };
}
