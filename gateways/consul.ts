import { GatewayInputError, type TokenAccess } from "./access.ts";
import { apiServer, certificatesPem, type Jwt, type Pem, requiredToken } from "./encoding.ts";

/**
 * The `Config` of an ACL auth method of type `kubernetes` in Consul (`consul acl auth-method create -config`). It contains raw PEM and a raw
 * JWT. Consul also reads the workload's ServiceAccount, so its reviewer needs `get serviceaccounts`. Consul requires a CA even if a public CA
 * signed the host's certificate. It names no audience in its reviews.
 */
export interface ConsulAuthMethodConfig {
  /** https URL of the API server, without a trailing slash. */
  readonly Host: string;
  /** CA certificates of the host. */
  readonly CACert: Pem;
  /** The reviewer's token. Secret. */
  readonly ServiceAccountJWT: Jwt;
}

/** Config of an auth method with which Consul reviews tokens. @throws GatewayInputError that names the invalid field */
export function consulAuthMethodConfig(access: TokenAccess): ConsulAuthMethodConfig {
  if (access.caPem === "") {
    throw new GatewayInputError("CACert", "is empty, but Consul requires a CA. Set kubernetesCa to the public CA");
  }
  return {
    Host: apiServer("Host", access.host),
    CACert: certificatesPem("CACert", access.caPem),
    ServiceAccountJWT: requiredToken("Consul", "ServiceAccountJWT", access),
  };
}
