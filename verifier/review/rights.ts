/** Whether an API server does reviews for this verifier: asked until it says so, and again after it rejected one. */
import type { Clock } from "../clock.ts";
import { isOutage, VerifierError } from "../errors.ts";
import { errorFields, type Log } from "../log.ts";
import type { Reviewer } from "./reviewer.ts";

export interface ReviewRightsOptions {
  /** Of the API server. */
  readonly url: string;
  readonly reviewer: Pick<Reviewer, "checkRights" | "checkReviews">;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const firstRetryMs = 250;
const maxRetryMs = 5_000;

export class ReviewRights {
  readonly #options: ReviewRightsOptions;
  #running: Promise<void> | undefined;
  #granted = false;
  #wasGranted = false;
  #wasTried = false;
  #problem: string | undefined;

  constructor(options: ReviewRightsOptions) {
    this.#options = options;
  }

  /** Whether reviews are done, as far as is known. */
  get granted(): boolean {
    return this.#granted;
  }

  /** Whether the first attempt is over, whatever came of it. */
  get wasTried(): boolean {
    return this.#wasTried;
  }

  /** What the API server said last in place of a review; `undefined` while nothing but an outage is known. */
  get problem(): string | undefined {
    return this.#granted ? undefined : this.#problem;
  }

  start(): void {
    if (!this.#granted) this.#running ??= this.#run().finally(() => this.#ended());
  }

  async stop(): Promise<void> {
    await this.#running;
  }

  /** A review was rejected. */
  lost(error: unknown): void {
    this.#granted = false;
    this.#problem = textOf(error);
    this.start();
  }

  /** A review was done. */
  regained(): void {
    this.#granted = true;
    this.#wasGranted = true;
  }

  async #run(): Promise<void> {
    const { url, reviewer, clock, log, signal } = this.#options;
    // What has just been rejected is not asked again at once.
    for (let attempt = this.#wasTried ? 1 : 0; !signal.aborted && !this.#granted; attempt++) {
      if (attempt > 0) await clock.sleep(pauseMs(attempt - 1), signal);
      if (signal.aborted || this.#granted) return;
      try {
        // Rights can be there while reviews are rejected all the same, by a proxy or a limit of requests.
        await (this.#wasGranted ? reviewer.checkReviews() : reviewer.checkRights());
        this.regained();
        if (attempt > 0) log.info({ url }, "tokens can be reviewed");
      } catch (error) {
        if (!isOutage(error)) this.#problem = textOf(error);
        log.warn({ url, ...errorFields(error) }, "tokens cannot be reviewed");
      } finally {
        this.#wasTried = true;
      }
    }
  }

  /** A review may have been rejected between the last look and the end. */
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
