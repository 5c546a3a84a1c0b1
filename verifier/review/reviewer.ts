/** Sends TokenReviews to an API server, a bounded number at a time. */
import type { DigestSet } from "../cache/caches.ts";
import type { Clock } from "../clock.ts";
import { isOutage, Refusal, VerifierError } from "../errors.ts";
import { errorFields, LineLimit, type Log } from "../log.ts";
import type { HttpsAnswer, HttpsClient } from "../net/httpsClient.ts";
import { withoutToken } from "../redact.ts";
import { type ReviewPriority, ReviewQueue } from "./queue.ts";
import { ReviewReadiness } from "./readiness.ts";
import { type ReviewedUser, reviewError, reviewedUser } from "./reviewedUser.ts";

/** `outage`: the API server is unavailable (see isOutage). `rejected`: its answer is not a review. */
export type ReviewOutcome = "accepted" | "refused" | "outage" | "rejected";

export interface ReviewerOptions {
  /** URL of the API server, without a trailing slash. */
  readonly url: string;
  readonly client: HttpsClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Stops the checks of readiness. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly maxReviews: number;
  /** Tokens that their last review accepted. Their next review has the highest priority. */
  readonly accepted: DigestSet;
  /** Called after each review of a caller's token. */
  readonly onReview: (outcome: ReviewOutcome, ms: number) => void;
}

const maxAnswerBytes = 256 * 1024;
/** After this many consecutive failures, reviews fail at once for `pauseMs`. */
const maxFailures = 3;
const pauseMs = 500;
/** Log lines about failed reviews per second. */
const maxErrorLines = 5;
/** No token. The answer to its review shows whether the API server reviews tokens. */
const probeToken = "k8sauth-verifier-readiness";

export class Reviewer {
  readonly #options: ReviewerOptions;
  readonly #queue: ReviewQueue;
  readonly #errorLines: LineLimit;
  readonly readiness: ReviewReadiness;
  #failures = 0;
  #pausedUntil = 0;
  #lastFailure: "outage" | "rejected" = "outage";

  constructor(options: ReviewerOptions) {
    this.#options = options;
    this.#queue = new ReviewQueue(options.maxReviews, options.maxReviews * 4);
    this.#errorLines = new LineLimit(maxErrorLines, options.clock.monotonic);
    this.readiness = new ReviewReadiness({
      ...options,
      checkPermission: () => this.#checkPermission(),
      checkReview: () => this.#checkReview(),
    });
  }

  get inFlight(): number {
    return this.#queue.running;
  }

  /**
   * Returns the token's user as the API server reports it. A token that the last review accepted has the highest priority.
   *
   * @throws Refusal review_refused; not_a_service_account or malformed_claim if the user is not a ServiceAccount; busy;
   *   review_unavailable in an outage (see isOutage); review_rejected for any other answer than a review
   */
  async review(token: string, audiences: readonly string[], priority: ReviewPriority): Promise<ReviewedUser> {
    this.#checkPause();
    const { accepted, onReview } = this.#options;
    return this.#queue.run(accepted.has(token) ? "accepted" : priority, async () => {
      // Earlier reviews in the queue can have failed.
      this.#checkPause();
      const startedAt = performance.now();
      let user: ReviewedUser | undefined;
      let detail: string | undefined;
      try {
        const review = await this.#ask(token, audiences);
        user = reviewedUser(review, audiences);
        detail = reviewError(review);
        this.#failures = 0;
        if (user) accepted.add(token);
        else accepted.delete(token);
        this.readiness.reviewed();
        onReview(user ? "accepted" : "refused", performance.now() - startedAt);
      } catch (error) {
        const ms = performance.now() - startedAt;
        if (error instanceof Refusal) {
          accepted.delete(token);
          this.readiness.reviewed();
          onReview("refused", ms);
          throw error;
        }
        const outcome = isOutage(error) ? "outage" : "rejected";
        onReview(outcome, ms);
        this.#failed(error, outcome);
        throw this.#refusal(retryAfterSeconds(error));
      }
      if (!user) throw new Refusal("review_refused", undefined, detail && withoutToken(detail, token));
      return user;
    });
  }

  /**
   * Sends a SelfSubjectAccessReview, which every authenticated user may create.
   *
   * @throws VerifierError NET_…, REVIEW_UNAUTHORIZED, REVIEW_FORBIDDEN, REVIEW_MALFORMED
   */
  async #checkPermission(): Promise<void> {
    const body = JSON.stringify({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { group: "authentication.k8s.io", resource: "tokenreviews", verb: "create" } },
    });
    const answer = await this.#post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body);
    const { status } = answer as { status?: { allowed?: boolean } };
    if (status?.allowed !== true) throw forbidden(this.#options.url);
  }

  /** @throws VerifierError NET_…, REVIEW_UNAUTHORIZED, REVIEW_FORBIDDEN, REVIEW_MALFORMED */
  async #checkReview(): Promise<void> {
    reviewedUser(await this.#ask(probeToken, []), []);
  }

  async #ask(token: string, audiences: readonly string[]): Promise<unknown> {
    const apiVersion = "authentication.k8s.io/v1";
    const body = JSON.stringify({ apiVersion, kind: "TokenReview", spec: { token, audiences } });
    return this.#post(`/apis/${apiVersion}/tokenreviews`, body);
  }

  #checkPause(): void {
    const waitMs = this.#pausedUntil - this.#options.clock.monotonic();
    if (waitMs > 0) throw this.#refusal(1);
  }

  #failed(error: unknown, outcome: "outage" | "rejected"): void {
    if (outcome === "rejected") this.readiness.rejected(error);
    const admitted = this.#errorLines.admit();
    if (admitted)
      this.#options.log.error({ ...errorFields(error), outcome, ...admitted }, "a token could not be reviewed");
    this.#lastFailure = outcome;
    this.#failures += 1;
    if (this.#failures >= maxFailures) this.#pausedUntil = this.#options.clock.monotonic() + pauseMs;
  }

  #refusal(retryAfterS: number): Refusal {
    return new Refusal(this.#lastFailure === "outage" ? "review_unavailable" : "review_rejected", retryAfterS);
  }

  async #post(path: string, body: string): Promise<unknown> {
    const { url, client, timeoutMs } = this.#options;
    const send = () => client.send({ method: "POST", url: url + path, body, timeoutMs, maxBytes: maxAnswerBytes });
    let answer = await send();
    if (answer.status === 401) {
      // The status is about the verifier's own token. The kubelet can have replaced it.
      client.expireToken();
      answer = await send();
    }
    if (answer.status === 200 || answer.status === 201) return parse(answer, url + path);
    if (answer.status === 401) {
      throw new VerifierError(
        "REVIEW_UNAUTHORIZED",
        `${url} does not accept the verifier's own token. Check that apiTokenFile is a projected token for this API server, which the kubelet renews.`,
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
    `The verifier lacks the permission to create tokenreviews at ${url}. Bind its ServiceAccount to a ClusterRole with create on tokenreviews.authentication.k8s.io.`,
  );
}

function parse(answer: HttpsAnswer, where: string): unknown {
  try {
    const value: unknown = JSON.parse(answer.text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // The error below states it.
  }
  throw new VerifierError(
    "REVIEW_MALFORMED",
    `The answer of ${where} is not a JSON object. Check that it is an API server.`,
  );
}

function retryAfterSeconds(error: unknown): number {
  const asked = error instanceof VerifierError ? (error.retryAfterMs ?? 0) / 1000 : 0;
  return Math.min(30, Math.max(1, Math.ceil(asked)));
}
