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
  /** The reviewer's JWT, as it is. Secret. */
  readonly token: string;
}

/** Access by a client certificate. */
export interface CertificateAccess extends ClusterAccess {
  /** The certificate, and what its signer put behind it, PEM. */
  readonly certificatePem: string;
  /** Its private key, PEM. Secret. */
  readonly privateKeyPem: string;
}

/** Access through a Rancher server, by an API key of one of its users. */
export interface RancherAccess extends ClusterAccess {
  /** Root URL of the Rancher server; `caPem` holds the CA that signed *its* certificate, not the cluster's. */
  readonly host: string;
  /** The key's bearer token, `NAME:SECRET`. Secret. */
  readonly apiKey: string;
  /** The cluster's id in Rancher (`c-…`, `c-m-…`, `local`): the key's scope, where it has one. */
  readonly clusterId: string;
}

/** Thrown for input from which no right auth config can be made. Names the field; never shows a secret. */
export class GatewayInputError extends Error {
  override readonly name = "GatewayInputError";
  readonly code = "GATEWAY_INPUT_INVALID";
  readonly field: string;
  /** What is wrong, as a predicate: "is not …". */
  readonly problem: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
    this.problem = problem;
  }
}
