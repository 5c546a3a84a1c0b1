/** Access of a gateway to the TokenReviews of a cluster. The auth configs of all products are made from it. */
export interface ClusterAccess {
  /** https URL of the API server, as the gateway reaches it. */
  readonly host: string;
  /** CA certificates of that host, PEM; "" if a public CA signed its certificate. */
  readonly caPem: string;
  /** Issuer of workloads' tokens (claim `iss`); "" if it is not known. */
  readonly issuer: string;
  /** Required audience of workloads' tokens; "" for the API server's own. */
  readonly audience: string;
}

/** Access by the bearer token of a reviewer. */
export interface TokenAccess extends ClusterAccess {
  /** The reviewer's JWT. Secret. */
  readonly token: string;
}

/** Access by a client certificate. */
export interface CertificateAccess extends ClusterAccess {
  /** The certificate, followed by the chain that its signer added, PEM. */
  readonly certificatePem: string;
  /** Its private key, PEM. Secret. */
  readonly privateKeyPem: string;
}

/** Access through a Rancher server, by an API key of one of its users. */
export interface RancherAccess extends ClusterAccess {
  /** Root URL of the Rancher server. `caPem` contains its CA, not the cluster's. */
  readonly host: string;
  /** The key's bearer token, `NAME:SECRET`. Secret. */
  readonly apiKey: string;
  /** Id of the cluster in Rancher (`c-…`, `c-m-…`, `local`), which is the scope of the key if it has one. */
  readonly clusterId: string;
}

/** The input does not allow a valid auth config. The message names the field and contains no secret. */
export class GatewayInputError extends Error {
  override readonly name = "GatewayInputError";
  readonly code = "GATEWAY_INPUT_INVALID";
  /** Name of the invalid field. */
  readonly field: string;
  /** The problem, as the predicate of a sentence whose subject is the field: "is not …". */
  readonly problem: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.field = field;
    this.problem = problem;
  }
}
