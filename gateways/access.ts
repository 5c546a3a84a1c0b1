/**
 * What a gateway needs to review tokens in a cluster, whatever product it is: the neutral core that every product's auth
 * config is made from.
 */
export interface ClusterAccess {
  /** https URL of the API server, as the gateway reaches it. */
  readonly host: string;
  /** CA certificates of that host, PEM; "" where a public CA signed it. */
  readonly caPem: string;
  /** Issuer of workloads' tokens; "" where it is not known. */
  readonly issuer: string;
  /** Audience that workloads' tokens must have; "" is the API server's own. */
  readonly audience: string;
}

/** Access by the bearer token of a reviewer. */
export interface TokenAccess extends ClusterAccess {
  /** The reviewer's JWT, as it is. */
  readonly token: string;
}

/** Access by a client certificate. */
export interface CertificateAccess extends ClusterAccess {
  /** The certificate, and what its signer put behind it, PEM. */
  readonly certificatePem: string;
  /** Its private key, PEM. */
  readonly privateKeyPem: string;
}

/** Thrown for input from which no right auth config can be made. Names the field; never shows a secret. */
export class GatewayInputError extends Error {
  override readonly name = "GatewayInputError";
  readonly code = "GATEWAY_INPUT_INVALID";
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
  }
}
