import { GatewayInputError, type TokenAccess } from "./access.ts";
import { apiServer, certificatesPem, type Jwt, type Pem, requiredToken } from "./encoding.ts";

/** Workloads that may log in. An empty list allows all. */
export interface InfisicalOptions {
  readonly allowedNamespaces: readonly string[];
  /** Names of ServiceAccounts. */
  readonly allowedNames: readonly string[];
}

/**
 * The body of `POST /api/v1/auth/kubernetes-auth/identities/{identityId}` of Infisical. It contains raw PEM and a raw JWT. Lists are text,
 * joined by commas.
 */
export interface InfisicalKubernetesAuth {
  /** https URL of the API server, without a trailing slash. */
  readonly kubernetesHost: string;
  /** CA certificates of the host. Empty if a public CA signed the host's certificate. */
  readonly caCert: Pem | "";
  /** Infisical calls the API server itself. */
  readonly tokenReviewMode: "api";
  /** The reviewer's token. Secret. */
  readonly tokenReviewerJwt: Jwt;
  /** Namespaces of workloads that may log in. Empty for all. */
  readonly allowedNamespaces: string;
  /** Names of ServiceAccounts that may log in. Empty for all. */
  readonly allowedNames: string;
  /** Required audience of workloads' tokens. Empty for the API server's own. */
  readonly allowedAudience: string;
}

/** Auth config with which Infisical reviews tokens. @throws GatewayInputError that names the invalid field */
export function infisicalKubernetesAuth(access: TokenAccess, options: InfisicalOptions): InfisicalKubernetesAuth {
  return {
    kubernetesHost: apiServer("kubernetesHost", access.host),
    caCert: access.caPem === "" ? "" : certificatesPem("caCert", access.caPem),
    tokenReviewMode: "api",
    tokenReviewerJwt: requiredToken("Infisical", "tokenReviewerJwt", access),
    allowedNamespaces: joined("allowedNamespaces", options.allowedNamespaces),
    allowedNames: joined("allowedNames", options.allowedNames),
    allowedAudience: access.audience,
  };
}

function joined(field: string, names: readonly string[]): string {
  for (const name of names) {
    if (name.includes(",") || name.trim() === "")
      throw new GatewayInputError(field, `has "${name}". Names must not be empty or contain a comma`);
  }
  return names.join(",");
}
