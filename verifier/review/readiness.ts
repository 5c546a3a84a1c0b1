/** Whether an API server reviews tokens for this verifier. Checks are repeated from the start, and from a rejected review, until one succeeds. */
import type { Clock } from "../clock.ts";
import { isOutage, VerifierError } from "../errors.ts";
import { errorFields, type Log } from "../log.ts";

export interface ReviewReadinessOptions {
  /** URL of the API server, for the log. */
  readonly url: string;
  /** Rejects if the verifier lacks the permission to create TokenReviews. */
  readonly checkPermission: () => Promise<void>;
  /** Rejects if a TokenReview is not answered with one. */
  readonly checkReview: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const firstRetryMs = 250;
const maxRetryMs = 5_000;

export class ReviewReadiness {
  readonly #options: ReviewReadinessOptions;
  #running: Promise<void> | undefined;
  #isReady = false;
  #wasReady = false;
  #wasTried = false;
  #problem: string | undefined;

  constructor(options: ReviewReadinessOptions) {
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** True after the first check, successful or not. */
  get wasTried(): boolean {
    return this.#wasTried;
  }

  /** The last rejection by the API server; `undefined` while it reviews tokens, and before a rejection. */
  get problem(): string | undefined {
    return this.#isReady ? undefined : this.#problem;
  }

  start(): void {
    if (!this.#isReady) this.#running ??= this.#run().finally(() => this.#ended());
  }

  async stop(): Promise<void> {
    await this.#running;
  }

  /** Records that the API server rejected a review. */
  rejected(error: unknown): void {
    this.#isReady = false;
    this.#problem = textOf(error);
    this.start();
  }

  /** Records that the API server reviewed a token. */
  reviewed(): void {
    this.#isReady = true;
    this.#wasReady = true;
  }

  async #run(): Promise<void> {
    const { url, checkPermission, checkReview, clock, log, signal } = this.#options;
    // After a rejection, the first check waits.
    for (let attempt = this.#wasTried ? 1 : 0; !signal.aborted && !this.#isReady; attempt++) {
      if (attempt > 0) await clock.sleep(pauseMs(attempt - 1), signal);
      if (signal.aborted || this.#isReady) return;
      try {
        // After a rejected review, the permission is not enough: a proxy or a rate limit can reject reviews too.
        await (this.#wasReady ? checkReview() : checkPermission());
        this.reviewed();
        if (attempt > 0) log.info({ url }, "tokens can be reviewed");
      } catch (error) {
        if (!isOutage(error)) this.#problem = textOf(error);
        log.warn({ url, ...errorFields(error) }, "tokens cannot be reviewed");
      } finally {
        this.#wasTried = true;
      }
    }
  }

  /** Starts again if a review was rejected while the last check ended. */
  #ended(): void {
    this.#running = undefined;
    if (!this.#options.signal.aborted) this.start();
  }
}

function pauseMs(attempt: number): number {
  return Math.min(firstRetryMs * 2 ** Math.min(attempt, 5), maxRetryMs) * (0.5 + Math.random() / 2);
}

function textOf(error: unknown): string {
  return error instanceof VerifierError ? error.message : "an answer could not be read.";
}
