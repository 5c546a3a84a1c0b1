import { type CertificateAccess, type ClusterAccess, GatewayInputError, type TokenAccess } from "./access.ts";
import { asBase64Pem, base64Pem, rawJwt } from "./encoding.ts";

/** What Akeyless itself gives for an auth method. */
export interface AkeylessAuthMethod {
  /** `p-…`. */
  readonly accessId: string;
  /** `prv_key`: base64 of a PEM RSA private key; shown once, when the method is made. */
  readonly signingKey: string;
}

export interface AkeylessOptions {
  /** The config's name, which workloads pass when they log in. */
  readonly name: string;
  /** Whether the gateway compares a token's issuer itself. The API server does in any case. */
  readonly validateIssuer: boolean;
}

/**
 * What every `gateway-create-k8s-auth-config` for `native_k8s` says, by the REST API's own field names. The CLI's flags are
 * the same with `--`, Terraform's with `_`. Optional fields that do not apply are absent.
 */
interface AkeylessNativeAuthConfig {
  readonly name: string;
  readonly "access-id": string;
  /** base64 of PEM, one line. */
  readonly "signing-key": string;
  readonly "cluster-api-type": "native_k8s";
  readonly "k8s-host": string;
  /** base64 of PEM, one line; absent where a public CA signed the host's certificate. */
  readonly "k8s-ca-cert"?: string;
  readonly "k8s-issuer"?: string;
  /** Text, not a boolean. Always said: documents and clients disagree about its default. */
  readonly "disable-issuer-validation": "true" | "false";
}

/** By a reviewer's bearer token. */
export interface AkeylessTokenAuthConfig extends AkeylessNativeAuthConfig {
  readonly "k8s-auth-type": "token";
  /** The JWT as it is. */
  readonly "token-reviewer-jwt": string;
}

/** By a client certificate. */
export interface AkeylessCertificateAuthConfig extends AkeylessNativeAuthConfig {
  readonly "k8s-auth-type": "certificate";
  /** base64 of PEM, one line. */
  readonly "k8s-client-certificate": string;
  /** base64 of PEM, one line. */
  readonly "k8s-client-key": string;
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
  return {
    ...nativeAuthConfig(access, method, options),
    "k8s-auth-type": "certificate",
    "k8s-client-certificate": base64Pem("k8s-client-certificate", access.certificatePem),
    "k8s-client-key": base64Pem("k8s-client-key", access.privateKeyPem),
  };
}

function nativeAuthConfig(
  { host, caPem, issuer }: ClusterAccess,
  method: AkeylessAuthMethod,
  { name, validateIssuer }: AkeylessOptions,
): AkeylessNativeAuthConfig {
  if (validateIssuer && issuer === "") {
    throw new GatewayInputError(
      "k8s-issuer",
      "the issuer is not known, so it can't be validated; turn validateIssuer off",
    );
  }
  return {
    name,
    "access-id": accessId(method.accessId),
    "signing-key": asBase64Pem("signing-key", method.signingKey),
    "cluster-api-type": "native_k8s",
    "k8s-host": host,
    ...(caPem && { "k8s-ca-cert": base64Pem("k8s-ca-cert", caPem) }),
    ...(issuer && { "k8s-issuer": issuer }),
    "disable-issuer-validation": validateIssuer ? "false" : "true",
  };
}

function accessId(value: string): string {
  if (!/^p-[a-z0-9]+$/i.test(value)) {
    throw new GatewayInputError("access-id", 'is not an access id of Akeyless ("p-" and letters or digits)');
  }
  return value;
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

/** The login of a workload whose pod mounts a projected token of its own for the gateway. */
export function akeylessWorkloadLogin(options: {
  readonly accessId: string;
  readonly gatewayUrl: string;
  readonly authConfigName: string;
  readonly audience: string;
}): AkeylessWorkloadLogin {
  const { volume, volumeMount, tokenPath } = projectedToken(options.audience);
  return {
    accessType: "k8s",
    accessId: accessId(options.accessId),
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
