import type { TokenAccess } from "./access.ts";
import { apiServer, certificatesPem, type Jwt, type Pem, requiredToken } from "./encoding.ts";

/**
 * The body of `POST auth/kubernetes/config` of Vault and OpenBao, for a server outside the cluster. Certificates are raw PEM with a final
 * newline. The token is a raw JWT. `issuer` is deprecated by both products and absent, because the API server checks it.
 */
export interface VaultKubernetesAuthConfig {
  /** https URL of the API server, without a trailing slash. */
  readonly kubernetes_host: string;
  /** CA certificates of the host. Absent if a public CA signed the host's certificate. */
  readonly kubernetes_ca_cert?: Pem;
  /** The reviewer's token. Secret. */
  readonly token_reviewer_jwt: Jwt;
  /** Without it, a Vault that runs in a pod of another cluster uses the CA of that pod if `kubernetes_ca_cert` is absent. */
  readonly disable_local_ca_jwt: true;
}

/** Auth config with which Vault or OpenBao reviews tokens. @throws GatewayInputError that names the invalid field */
export function vaultAuthConfig(access: TokenAccess): VaultKubernetesAuthConfig {
  return {
    kubernetes_host: apiServer("kubernetes_host", access.host),
    ...(access.caPem && { kubernetes_ca_cert: certificatesPem("kubernetes_ca_cert", access.caPem) }),
    token_reviewer_jwt: requiredToken("Vault", "token_reviewer_jwt", access),
    disable_local_ca_jwt: true,
  };
}
