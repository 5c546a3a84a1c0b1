import { setTimeout as sleep } from "node:timers/promises";
import { KubeClient } from "../../kubernetes/index.ts";
import { type Review, reviewToken } from "../../kubernetes/reviews.ts";

/** Values with which a gateway reviews tokens. */
export interface Access {
  readonly host: string;
  readonly caPem: string;
  readonly token: string;
}

/** Reviews the reviewer's token with itself, as a gateway would. A failure of the request is in `error` of the result. */
export async function reviewSelf({ host, caPem, token }: Access): Promise<Review> {
  using client = KubeClient.direct({ server: host, caPem, token, label: "the reviewer" });
  return reviewToken(client, token).catch((error: Error) => ({
    authenticated: false,
    username: "",
    uid: "",
    audiences: [],
    error: error.message,
  }));
}

/** A gateway that repeats a review with one token until `stop`. */
export class Gateway {
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  /** When a review failed, in milliseconds of `performance.now()`, and why. */
  readonly failures: { readonly at: number; readonly why: string }[] = [];
  reviews = 0;

  constructor(access: Access) {
    this.#running = this.#run(access);
  }

  /** Waits for the review in progress. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(access: Access): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const at = performance.now();
      const { authenticated, error } = await reviewSelf(access);
      this.reviews += 1;
      if (!authenticated) this.failures.push({ at, why: error });
      await sleep(5);
    }
  }
}
