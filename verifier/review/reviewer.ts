/** Asks an API server about tokens (TokenReview), in a bounded number at a time. */
import { DigestSet } from "../cache/caches.ts";
import type { Clock } from "../clock.ts";
import { isOutage, Refusal, VerifierError } from "../errors.ts";
import type { Remote, RemoteAnswer } from "../net/remote.ts";
import { withoutToken } from "../redact.ts";
import { ReviewQueue, type Standing } from "./queue.ts";
import { type ReviewedUser, reviewError, reviewedUser } from "./reviewedUser.ts";

/** `outage`: the API server is away. `rejected`: it answers, and not with a review. */
export type ReviewOutcome = "accepted" | "refused" | "outage" | "rejected";

export interface ReviewerOptions {
  /** Of the API server, without a slash at the end. */
  readonly url: string;
  readonly remote: Remote;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxReviews: number;
  /** Accepted tokens whose next review goes first. */
  readonly maxRemembered: number;
  /** Called after each review of a caller's token. */
  readonly onReview?: (outcome: ReviewOutcome, ms: number) => void;
  /** Called with what kept a review from an answer. */
  readonly onError?: (error: Error, outcome: "outage" | "rejected") => void;
}

const maxAnswerBytes = 256 * 1024;
/** After so many failures in a row, requests fail at once for some time. */
const patience = 3;
const pauseMs = 500;
/** A token that is none: the answer shows whether reviews are done at all. */
const probeToken = "k8sauth-verifier-readiness";

export class Reviewer {
  readonly #options: ReviewerOptions;
  readonly #queue: ReviewQueue;
  /** Tokens that a review accepted and none has refused since. */
  readonly #accepted: DigestSet;
  #failures = 0;
  #pausedUntil = 0;
  #lastFailure: "review_unavailable" | "review_rejected" = "review_unavailable";

  constructor(options: ReviewerOptions) {
    this.#options = options;
    this.#queue = new ReviewQueue(options.maxReviews, options.maxReviews * 4);
    this.#accepted = new DigestSet(options.maxRemembered);
  }

  get inFlight(): number {
    return this.#queue.running;
  }

  /**
   * Who the token belongs to, according to the API server.
   *
   * @param standing what is known of the token before its review
   * @throws Refusal review_refused; not_a_service_account, malformed_claim for users that are none; busy; review_unavailable in an
   *   outage (see isOutage); review_rejected for every other answer than a review
   */
  async review(token: string, audiences: readonly string[], standing: Standing): Promise<ReviewedUser> {
    this.#checkPause();
    return this.#queue.run(this.#accepted.has(token) ? "accepted" : standing, async () => {
      // Who waited in the queue may find that the server has gone meanwhile.
      this.#checkPause();
      const { onReview, onError } = this.#options;
      const startedAt = performance.now();
      let user: ReviewedUser | undefined;
      let detail: string | undefined;
      try {
        const review = await this.#ask(token, audiences);
        user = reviewedUser(review, audiences);
        detail = reviewError(review);
        this.#failures = 0;
        if (user) this.#accepted.add(token);
        else this.#accepted.delete(token);
        onReview?.(user ? "accepted" : "refused", performance.now() - startedAt);
      } catch (error) {
        const ms = performance.now() - startedAt;
        if (error instanceof Refusal) {
          this.#accepted.delete(token);
          onReview?.("refused", ms);
          throw error;
        }
        const outcome = isOutage(error) ? "outage" : "rejected";
        onReview?.(outcome, ms);
        onError?.(error as Error, outcome);
        this.#fail(outcome === "outage" ? "review_unavailable" : "review_rejected");
        throw new Refusal(this.#lastFailure, retryAfterSeconds(error));
      }
      if (!user) throw new Refusal("review_refused", undefined, detail && withoutToken(detail, token));
      return user;
    });
  }

  /**
   * Whether this verifier may ask: a SelfSubjectAccessReview, which every authenticated user may make.
   *
   * @throws VerifierError NET_…, REVIEW_UNAUTHORIZED, REVIEW_FORBIDDEN, REVIEW_MALFORMED
   */
  async checkRights(): Promise<void> {
    const body = JSON.stringify({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group: "authentication.k8s.io", resource: "tokenreviews", verb: "create" } },
    });
    const answer = await this.#post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body);
    const { status } = answer as { status?: { allowed?: boolean } };
    if (status?.allowed !== true) throw forbidden(this.#options.url);
  }

  /**
   * Whether reviews are done: a review of what is no token.
   *
   * @throws VerifierError NET_…, REVIEW_UNAUTHORIZED, REVIEW_FORBIDDEN, REVIEW_MALFORMED
   */
  async checkReviews(): Promise<void> {
    reviewedUser(await this.#ask(probeToken, []), []);
  }

  async #ask(token: string, audiences: readonly string[]): Promise<unknown> {
    const apiVersion = "authentication.k8s.io/v1";
    const body = JSON.stringify({ apiVersion, kind: "TokenReview", spec: { token, audiences } });
    return this.#post(`/apis/${apiVersion}/tokenreviews`, body);
  }

  #checkPause(): void {
    const waitMs = this.#pausedUntil - this.#options.clock.monotonic();
    if (waitMs > 0) throw new Refusal(this.#lastFailure, 1);
  }

  #fail(reason: "review_unavailable" | "review_rejected"): void {
    this.#lastFailure = reason;
    this.#failures += 1;
    if (this.#failures >= patience) this.#pausedUntil = this.#options.clock.monotonic() + pauseMs;
  }

  async #post(path: string, body: string): Promise<unknown> {
    const { url, remote, timeoutMs } = this.#options;
    const send = () => remote.send({ method: "POST", url: url + path, body, timeoutMs, maxBytes: maxAnswerBytes });
    let answer = await send();
    if (answer.status === 401) {
      // It is our own token that is refused: kubelet may have replaced it.
      remote.expireToken();
      answer = await send();
    }
    if (answer.status === 200 || answer.status === 201) return parse(answer, url + path);
    if (answer.status === 401) {
      throw new VerifierError(
        "REVIEW_UNAUTHORIZED",
        `${url} does not accept the verifier's own token: check that apiTokenFile is a projected token for this API server that kubelet renews.`,
      );
    }
    if (answer.status === 403) throw forbidden(url);
    const after = Number(answer.headers["retry-after"]);
    throw new VerifierError("NET_STATUS", `POST ${url}${path} was answered with ${answer.status}: expected 201.`, {
      status: answer.status,
      retryAfterMs: after > 0 ? after * 1000 : undefined,
    });
  }
}

function forbidden(url: string): VerifierError {
  return new VerifierError(
    "REVIEW_FORBIDDEN",
    `The verifier may not create tokenreviews at ${url}: bind its ServiceAccount to a ClusterRole with create on tokenreviews.authentication.k8s.io.`,
  );
}

function parse(answer: RemoteAnswer, where: string): unknown {
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw new VerifierError("REVIEW_MALFORMED", `The answer of ${where} is no JSON object: is that an API server?`);
}

function retryAfterSeconds(error: unknown): number {
  const asked = error instanceof VerifierError ? (error.retryAfterMs ?? 0) / 1000 : 0;
  return Math.min(30, Math.max(1, Math.ceil(asked)));
}
