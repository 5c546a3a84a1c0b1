import { withoutUserinfo } from "./redact.ts";

/** Codes of errors that prevent a start or a decision. They are stable. docs/errors.md explains each. */
export type VerifierErrorCode =
  // configuration
  | "CONFIG_UNKNOWN_SETTING"
  | "CONFIG_INVALID"
  | "CONFIG_FILE_UNREADABLE"
  | "CONFIG_FILE_MALFORMED"
  | "CONFIG_AUDIENCE_MISSING"
  | "CONFIG_AUDIENCE_API"
  | "CONFIG_ALLOW_MISSING"
  | "CONFIG_ISSUER_MISSING"
  | "CONFIG_ISSUER_INVALID"
  | "CONFIG_ISSUER_TWICE"
  | "CONFIG_KEYS_MISSING"
  | "CONFIG_CONTRADICTION"
  // files that are read repeatedly
  | "FILE_UNREADABLE"
  | "CA_INVALID"
  | "TLS_INVALID"
  | "TOKEN_FILE_INVALID"
  // public keys of an issuer
  | "KEYS_MALFORMED"
  | "KEYS_NONE_USABLE"
  | "DISCOVERY_MALFORMED"
  | "DISCOVERY_ISSUER_MISMATCH"
  | "DISCOVERY_ISSUER_TAKEN"
  | "DISCOVERY_JWKS_URI"
  // requests to other servers
  | "NET_UNREACHABLE"
  | "NET_TIMEOUT"
  | "NET_TLS"
  | "NET_PROXY"
  | "NET_TOO_LARGE"
  | "NET_PROTOCOL"
  | "NET_STATUS"
  // reviews by the API server
  | "REVIEW_UNAUTHORIZED"
  | "REVIEW_FORBIDDEN"
  | "REVIEW_MALFORMED"
  // serving
  | "LISTEN_FAILED"
  // any other error
  | "INTERNAL";

export interface VerifierErrorDetail {
  /** HTTP status of another server's answer. */
  readonly status?: number;
  /** Retry-After of that answer, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** An error of the verifier. Its message contains no token, no key, and no user or password of a URL. */
export class VerifierError extends Error {
  readonly code: VerifierErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: VerifierErrorCode, message: string, detail: VerifierErrorDetail = {}) {
    super(withoutUserinfo(message));
    this.name = "VerifierError";
    this.code = code;
    this.status = detail.status;
    this.retryAfterMs = detail.retryAfterMs;
  }
}

/**
 * Whether the other server is unavailable: it cannot be reached, does not answer in time, or answers with 5xx. Any other failure, such as an
 * error of TLS or HTTP, is a rejection of the request.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof VerifierError)) return false;
  if (error.code === "NET_UNREACHABLE" || error.code === "NET_TIMEOUT") return true;
  return error.code === "NET_STATUS" && (error.status ?? 0) >= 500;
}

/**
 * Reasons for an answer other than 200, by name. `error` is the code of RFC 6750, section 3.1; "" for none. The texts do not depend on the
 * token.
 */
export const refusals = {
  no_token: { status: 401, error: "", text: "No bearer token was sent." },
  malformed_request: {
    status: 401,
    error: "invalid_request",
    text: "Expected one Authorization header with one bearer token.",
  },
  malformed_token: { status: 401, error: "invalid_token", text: "The token is not a compact JWS of a ServiceAccount." },
  unsupported_header: {
    status: 401,
    error: "invalid_token",
    text: "The token's header has a parameter that is not supported.",
  },
  unsupported_algorithm: {
    status: 401,
    error: "invalid_token",
    text: "The token's algorithm is not that of its key.",
  },
  unknown_issuer: { status: 401, error: "invalid_token", text: "The token's issuer is not accepted." },
  unknown_key: {
    status: 401,
    error: "invalid_token",
    text: "The token is signed with a key that its issuer does not publish.",
  },
  bad_signature: { status: 401, error: "invalid_token", text: "The token's signature does not verify." },
  missing_claim: { status: 401, error: "invalid_token", text: "The token lacks a required claim." },
  malformed_claim: {
    status: 401,
    error: "invalid_token",
    text: "A claim of the token is malformed.",
  },
  expired: { status: 401, error: "invalid_token", text: "The token has expired." },
  not_yet_valid: { status: 401, error: "invalid_token", text: "The token is not valid yet." },
  lifetime_too_long: { status: 401, error: "invalid_token", text: "The token's lifetime is longer than accepted." },
  wrong_audience: { status: 401, error: "invalid_token", text: "The token is for another audience." },
  api_audience: {
    status: 401,
    error: "invalid_token",
    text: "The token is also for the API server. Request one that is only for this audience.",
  },
  not_a_service_account: { status: 401, error: "invalid_token", text: "The token's subject is not a ServiceAccount." },
  claims_disagree: {
    status: 401,
    error: "invalid_token",
    text: "The token's subject and its kubernetes.io claims disagree.",
  },
  review_refused: {
    status: 401,
    error: "invalid_token",
    text: "The API server does not accept the token. The token or the object that it is bound to may be deleted.",
  },
  not_allowed: { status: 403, error: "insufficient_scope", text: "The caller is known, but no rule allows it." },
  keys_unavailable: { status: 503, error: "", text: "The issuer's keys are not available at the moment." },
  review_unavailable: { status: 503, error: "", text: "The API server is not available at the moment." },
  review_rejected: { status: 503, error: "", text: "The API server rejects the verifier's reviews." },
  busy: { status: 503, error: "", text: "Too many tokens are being verified at the moment." },
  internal: { status: 503, error: "", text: "The token could not be verified." },
} as const satisfies Record<string, { status: 401 | 403 | 503; error: string; text: string }>;

export type RefusalReason = keyof typeof refusals;

/** Thrown if a token is refused, or cannot be verified now. */
export class Refusal extends Error {
  readonly reason: RefusalReason;
  /** Retry-After of the answer, in seconds (503). @default 1 */
  readonly retryAfterSeconds: number | undefined;
  /** The reason of the API server, without parts of the token. For the log only. */
  readonly detail: string | undefined;

  constructor(reason: RefusalReason, retryAfterSeconds?: number, detail?: string) {
    super(refusals[reason].text);
    this.name = "Refusal";
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.detail = detail;
  }
}
