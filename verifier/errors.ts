import { withoutUserinfo } from "./redact.ts";

/** Codes of everything that can keep the verifier from starting or from deciding. Codes are stable: match on them. docs/errors.md explains each. */
export type VerifierErrorCode =
  // what was asked for
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
  // files that are read again and again
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
  // asking another server
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
  // an error of none of these kinds
  | "INTERNAL";

/** What an error carries beside its code and text. */
export interface VerifierErrorDetail {
  /** HTTP status that another server answered with. */
  readonly status?: number;
  /** How long that server asked to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** An error of the verifier. Its message says what happened, what was expected and what to do; never a token, a key or the user in a URL. */
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
 * Whether an error says that the other server is away: it cannot be reached, does not answer in time, or answers with 5xx. Every other
 * answer, also a failure of TLS or HTTP, means that the server is there and rejects the request.
 */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof VerifierError)) return false;
  if (error.code === "NET_UNREACHABLE" || error.code === "NET_TIMEOUT") return true;
  return error.code === "NET_STATUS" && (error.status ?? 0) >= 500;
}

/** Why a request was not answered with 200. Each has one status and one text, and texts never depend on the token. */
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
    text: "The token's header asks for what is not supported.",
  },
  unsupported_algorithm: {
    status: 401,
    error: "invalid_token",
    text: "The token's algorithm is not the one of its key.",
  },
  unknown_issuer: { status: 401, error: "invalid_token", text: "The token's issuer is not trusted here." },
  unknown_key: {
    status: 401,
    error: "invalid_token",
    text: "The token was signed with a key that its issuer does not publish.",
  },
  bad_signature: { status: 401, error: "invalid_token", text: "The token's signature does not verify." },
  missing_claim: { status: 401, error: "invalid_token", text: "The token lacks a claim that is required." },
  malformed_claim: {
    status: 401,
    error: "invalid_token",
    text: "A claim of the token has a form that is not accepted.",
  },
  expired: { status: 401, error: "invalid_token", text: "The token has expired." },
  not_yet_valid: { status: 401, error: "invalid_token", text: "The token is not valid yet." },
  lifetime_too_long: { status: 401, error: "invalid_token", text: "The token lives longer than is accepted." },
  wrong_audience: { status: 401, error: "invalid_token", text: "The token is for another audience." },
  api_audience: {
    status: 401,
    error: "invalid_token",
    text: "The token is also for the API server; ask for one with this audience alone.",
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
    text: "The API server does not accept the token: it or what it is bound to may be gone.",
  },
  not_allowed: { status: 403, error: "insufficient_scope", text: "The caller is known, but no rule allows it." },
  keys_unavailable: { status: 503, error: "", text: "The issuer's keys cannot be had at the moment." },
  review_unavailable: { status: 503, error: "", text: "The API server cannot be asked at the moment." },
  review_rejected: { status: 503, error: "", text: "The API server rejects the verifier's requests for reviews." },
  busy: { status: 503, error: "", text: "Too many tokens are being verified at the moment." },
  internal: { status: 503, error: "", text: "The token could not be verified." },
} as const satisfies Record<string, { status: 401 | 403 | 503; error: string; text: string }>;

export type RefusalReason = keyof typeof refusals;

/** Thrown on the way to a decision: the token is refused, or cannot be judged now. */
export class Refusal extends Error {
  readonly reason: RefusalReason;
  /** When to come back, in seconds, for what is only unavailable. */
  readonly retryAfterSeconds: number | undefined;
  /** For the log alone: what another server said of the token, without its parts. */
  readonly detail: string | undefined;

  constructor(reason: RefusalReason, retryAfterSeconds?: number, detail?: string) {
    super(refusals[reason].text);
    this.name = "Refusal";
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
    this.detail = detail;
  }
}
