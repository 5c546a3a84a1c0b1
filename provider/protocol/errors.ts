import { KubeError, scrub } from "../../kubernetes/errors.ts";

/** Stable codes of the plugin's errors. Errors of the connection to the API server have a KubeErrorCode. docs/errors.md explains each code. */
export type ProviderErrorCode =
  | "CLUSTER_HOST_INVALID"
  | "CLUSTER_HOST_LOOPBACK"
  | "CLUSTER_HOST_PROOF_FAILED"
  | "CLUSTER_CA_PIN_MISMATCH"
  | "CLUSTER_CA_NOT_SHOWN"
  | "CLUSTER_CA_CHANGED"
  | "CLUSTER_CA_REQUIRED"
  | "CLUSTER_RIGHTS_MISSING"
  | "CLUSTER_NAME_TAKEN"
  | "CLUSTER_OBJECT_MISSING"
  | "CLUSTER_OBJECT_REFUSED"
  | "CLUSTER_OTHER"
  | "TOKEN_SECRET_MISSING"
  | "TOKEN_SECRET_OTHER"
  | "TOKEN_ACCOUNT_MISSING"
  | "TOKEN_ACCOUNT_OTHER"
  | "TOKEN_NOT_FILLED"
  | "TOKEN_MALFORMED"
  | "TOKEN_NOT_IMPORTABLE"
  | "TOKEN_SUBJECT_OTHER"
  | "TOKEN_REFUSED"
  | "TOKEN_MAY_NOT_REVIEW"
  | "TOKEN_MAY_NOT_MINT"
  | "TOKEN_PROJECTION_OFF"
  | "TOKEN_AUDIENCE_REFUSED"
  | "CSR_MALFORMED"
  | "CSR_SIGNATURE_INVALID"
  | "CSR_KEY_WEAK"
  | "CSR_SUBJECT_REFUSED"
  | "CSR_EXTENSION_REFUSED"
  | "PRIVATE_KEY_MALFORMED"
  | "PRIVATE_KEY_OTHER"
  | "CERTIFICATE_NO_SIGNER"
  | "CERTIFICATE_NAME_TAKEN"
  | "CERTIFICATE_REQUEST_OTHER"
  | "CERTIFICATE_REQUEST_GONE"
  | "CERTIFICATE_MAY_NOT_APPROVE"
  | "CERTIFICATE_APPROVAL_CONFLICT"
  | "CERTIFICATE_NOT_APPROVED"
  | "CERTIFICATE_DENIED"
  | "CERTIFICATE_FAILED"
  | "CERTIFICATE_NOT_ISSUED"
  | "CERTIFICATE_REJECTED"
  | "CERTIFICATE_REFUSED"
  | "CERTIFICATE_MAY_NOT_REVIEW"
  | "CERTIFICATE_READS_SECRETS"
  | "CERTIFICATE_NOT_IMPORTABLE"
  | "RANCHER_KEY_REFUSED"
  | "RANCHER_MAY_NOT_REVIEW"
  | "RANCHER_CLUSTER_UNKNOWN"
  | "RANCHER_NOT_IMPORTABLE"
  | "AKEYLESS_CREDENTIALS_MISSING"
  | "AKEYLESS_LOGIN_UNSUPPORTED"
  | "AKEYLESS_UNREACHABLE"
  | "AKEYLESS_RESET"
  | "AKEYLESS_TIMEOUT"
  | "AKEYLESS_TLS"
  | "AKEYLESS_NOT_JSON"
  | "AKEYLESS_INVALID"
  | "AKEYLESS_UNAUTHORIZED"
  | "AKEYLESS_FORBIDDEN"
  | "AKEYLESS_PUBLIC_GATEWAY"
  | "AKEYLESS_WRONG_API"
  | "AKEYLESS_NOT_FOUND"
  | "AKEYLESS_EXISTS"
  | "AKEYLESS_BUSY"
  | "AKEYLESS_FAILED"
  | "AKEYLESS_STATUS"
  | "AKEYLESS_NAME_TAKEN"
  | "AKEYLESS_KEY_LOST"
  | "AKEYLESS_NOT_TAKEN"
  | "AKEYLESS_LOGIN_REFUSED"
  | "AKEYLESS_LOGIN_UNPROVED"
  | "AKEYLESS_NOT_IMPORTABLE"
  | "TYPE_UNKNOWN"
  | "CANCELLED"
  // a bug, or an error without a code
  | "INTERNAL";

/** An error that the user can act on. Its message never holds a secret. After a list, the remedy is on the next line. */
export class ProviderError extends Error {
  readonly code: ProviderErrorCode;

  constructor(code: ProviderErrorCode, what: string, remedy = "") {
    super(scrub([what, remedy].join(what.endsWith("\n") ? "" : " ").trim()));
    this.name = "ProviderError";
    this.code = code;
  }
}

/** The error of a component about its arguments: its message without a code, as a program in TypeScript shows it. */
export class ComponentError extends Error {
  override readonly name = "ComponentError";

  constructor(message: string) {
    super(scrub(message));
  }
}

export function isProviderError(error: unknown, ...codes: readonly ProviderErrorCode[]): error is ProviderError {
  return error instanceof ProviderError && (codes.length === 0 || codes.includes(error.code));
}

/** An error as one line for the engine: its code, then its message. */
export function describe(error: unknown): string {
  if (error instanceof ComponentError) return error.message;
  if (error instanceof ProviderError || error instanceof KubeError) return `${error.code}: ${error.message}`;
  return `${"INTERNAL" satisfies ProviderErrorCode}: ${scrub(error instanceof Error ? (error.stack ?? error.message) : String(error))}`;
}
