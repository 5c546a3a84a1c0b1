/** Reads the user and the error from a TokenReview. Pure. */
import { Refusal, VerifierError } from "../errors.ts";
import { isSubdomain, isUid, splitUsername } from "../token/identity.ts";

export interface ReviewedUser {
  readonly username: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** The requested audiences that the token is for. */
  readonly audiences: readonly string[];
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  readonly nodeName: string | undefined;
  readonly nodeUid: string | undefined;
  /** `jti`, if the API server reports it (`JTI=…`). */
  readonly tokenId: string | undefined;
}

/**
 * The user of a TokenReview; `undefined` if the API server does not accept the token, or only for other audiences. An authenticator that
 * does not check audiences omits `status.audiences`. Such an answer accepts no token (see TokenReviewStatus in the Kubernetes API).
 *
 * @throws VerifierError REVIEW_MALFORMED
 * @throws Refusal not_a_service_account, malformed_claim
 */
export function reviewedUser(review: unknown, audiences: readonly string[]): ReviewedUser | undefined {
  const { kind, status } = review as { kind?: unknown; status?: Record<string, unknown> };
  if (kind !== "TokenReview" || typeof status !== "object" || status === null) {
    throw new VerifierError("REVIEW_MALFORMED", "The API server's answer is not a TokenReview with a status.");
  }
  if (status.authenticated !== true) return undefined;
  const reviewed = Array.isArray(status.audiences) ? status.audiences : [];
  const matching = audiences.filter((audience) => reviewed.includes(audience));
  if (matching.length === 0) return undefined;

  const { username, uid, extra } = (status.user ?? {}) as Record<string, unknown>;
  const account = typeof username === "string" ? splitUsername(username) : undefined;
  if (!account) throw new Refusal("not_a_service_account");
  if (!isUid(uid)) throw new Refusal("malformed_claim");
  const extraValue = (name: string) =>
    first((extra as Record<string, unknown> | undefined)?.[`authentication.kubernetes.io/${name}`]);
  const tokenId = extraValue("credential-id");
  return {
    username: username as string,
    ...account,
    uid,
    audiences: matching,
    podName: checked(extraValue("pod-name"), isSubdomain),
    podUid: checked(extraValue("pod-uid"), isUid),
    nodeName: checked(extraValue("node-name"), isSubdomain),
    nodeUid: checked(extraValue("node-uid"), isUid),
    tokenId: tokenId?.startsWith("JTI=") ? tokenId.slice("JTI=".length, 256) : undefined,
  };
}

/** The reason of the API server for a token that is not accepted. */
export function reviewError(review: unknown): string | undefined {
  const { error, authenticated } = (review as { status: Record<string, unknown> }).status;
  if (typeof error === "string" && error !== "") return error;
  return authenticated === true ? "The API server authenticates the token, but for none of the audiences." : undefined;
}

function first(value: unknown): string | undefined {
  return Array.isArray(value) && typeof value[0] === "string" ? value[0] : undefined;
}

function checked(value: string | undefined, fits: (value: unknown) => boolean): string | undefined {
  if (value === undefined) return undefined;
  if (!fits(value)) throw new Refusal("malformed_claim");
  return value;
}
