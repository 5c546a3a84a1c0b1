/** Limits the number of concurrent reviews. Further reviews wait in a short queue, ordered by priority. */
import { Refusal } from "../errors.ts";

/**
 * Priorities of reviews, the highest first. A priority follows from what the verifier knows of the token.
 *
 * - `accepted`: a recent review accepted it.
 * - `signed`: a key of its issuer verifies it.
 * - `unknown`: the issuer's keys are not known.
 * - `unlikely`: the issuer publishes no key with the token's key id. Such a token can be valid, because a signer can exclude keys from
 *   what it publishes.
 */
const priorities = ["accepted", "signed", "unknown", "unlikely"] as const;
export type ReviewPriority = (typeof priorities)[number];

interface Waiting {
  readonly start: () => void;
  readonly refuse: (reason: Refusal) => void;
}

export class ReviewQueue {
  readonly #limit: number;
  readonly #maxWaiting: number;
  /** By priority. Unlikely tokens never wait. */
  readonly #waiting: readonly Waiting[][] = [[], [], []];
  #running = 0;
  #unlikely = 0;

  constructor(limit: number, maxWaiting: number) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.reduce((sum, list) => sum + list.length, 0);
  }

  /**
   * Runs a review now, or when its turn comes. If the queue is full, it displaces a waiting review with a lower priority.
   *
   * @throws Refusal busy
   */
  async run<T>(priority: ReviewPriority, work: () => Promise<T>): Promise<T> {
    const isUnlikely = priority === "unlikely";
    if (isUnlikely) this.#admitUnlikely();
    else if (this.#running >= this.#limit) await this.#wait(priorities.indexOf(priority));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      if (isUnlikely) this.#unlikely -= 1;
      const next = this.#waiting.find((list) => list.length > 0)?.shift();
      if (next) next.start();
      else this.#running -= 1;
    }
  }

  /** At most half of the concurrent reviews, so that a flood of such tokens does not delay others. */
  #admitUnlikely(): void {
    if (this.#running >= this.#limit || this.#unlikely >= Math.ceil(this.#limit / 2)) throw new Refusal("busy", 1);
    this.#running += 1;
    this.#unlikely += 1;
  }

  #wait(rank: number): Promise<void> {
    if (this.waiting >= this.#maxWaiting) this.#makeRoom(rank);
    return new Promise((start, refuse) => this.#waiting[rank]?.push({ start, refuse }));
  }

  /** Refuses the newest waiting review of the lowest priority, which must be lower than the new one's. */
  #makeRoom(rank: number): void {
    const displaced = this.#waiting
      .slice(rank + 1)
      .findLast((list) => list.length > 0)
      ?.pop();
    if (!displaced) throw new Refusal("busy", 1);
    displaced.refuse(new Refusal("busy", 1));
  }
}
