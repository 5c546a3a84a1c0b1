/** Asks an API server about tokens (TokenReview), in a bounded number at a time. */
import type { Clock } from "../clock.ts";
import { Refusal, VerifierError } from "../errors.ts";
import type { Remote, RemoteAnswer } from "../net/remote.ts";
import { type ReviewedUser, reviewedUser } from "./reviewedUser.ts";
import { Semaphore } from "./semaphore.ts";

export type ReviewOutcome = "accepted" | "refused" | "error";

export interface ReviewerOptions {
  /** Of the API server, without a slash at the end. */
  readonly url: string;
  readonly remote: Remote;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxReviews: number;
  /** Called after each review. */
  readonly onReview?: (outcome: ReviewOutcome, ms: number) => void;
  /** Called with what kept a review from an answer. */
  readonly onError?: (error: Error) => void;
}

const maxAnswerBytes = 256 * 1024;
/** So many failures in a row, and nobody is kept waiting for some time. */
const patience = 3;
const pauseMs = 500;

export class Reviewer {
  readonly #options: ReviewerOptions;
  readonly #semaphore: Semaphore;
  #failures = 0;
  #pausedUntil = 0;

  constructor(options: ReviewerOptions) {
    this.#options = options;
    this.#semaphore = new Semaphore(options.maxReviews, options.maxReviews * 4);
  }

  get inFlight(): number {
    return this.#semaphore.running;
  }

  /**
   * Who the token belongs to, according to the API server.
   *
   * @throws Refusal review_refused; not_a_service_account, malformed_claim for users that are none; busy; review_unavailable whenever
   *   the API server did not answer the question: an outage never looks like a refusal
   */
  async review(token: string, audiences: readonly string[]): Promise<ReviewedUser> {
    this.#checkPause();
    return this.#semaphore.run(async () => {
      // Who waited in the queue may find that the server has gone meanwhile.
      this.#checkPause();
      const { onReview, onError } = this.#options;
      const startedAt = performance.now();
      const body = JSON.stringify({
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        spec: { token, audiences },
      });
      let user: ReviewedUser | undefined;
      try {
        user = reviewedUser(await this.#post("/apis/authentication.k8s.io/v1/tokenreviews", body), audiences);
        this.#failures = 0;
        onReview?.(user ? "accepted" : "refused", performance.now() - startedAt);
      } catch (error) {
        onReview?.(error instanceof Refusal ? "refused" : "error", performance.now() - startedAt);
        if (error instanceof Refusal) throw error;
        onError?.(error as Error);
        this.#fail();
        throw new Refusal("review_unavailable", retryAfterSeconds(error));
      }
      if (!user) throw new Refusal("review_refused");
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

  #checkPause(): void {
    const waitMs = this.#pausedUntil - this.#options.clock.now();
    if (waitMs > 0) throw new Refusal("review_unavailable", 1);
  }

  #fail(): void {
    this.#failures += 1;
    if (this.#failures >= patience) this.#pausedUntil = this.#options.clock.now() + pauseMs;
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
