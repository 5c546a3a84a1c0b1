/** A limit on reviews in flight, with a short queue in which the likeliest tokens go first. */
import { Refusal } from "../errors.ts";

/**
 * What is known of a token before its review, the likeliest first.
 *
 * - `accepted`: a review accepted it lately.
 * - `signed`: a key of its issuer verifies it.
 * - `unknown`: the issuer's keys are not known.
 * - `unlikely`: the issuer publishes no key with the token's key id. A signer can keep a key out of what it publishes.
 */
export const standings = ["accepted", "signed", "unknown", "unlikely"] as const;
export type Standing = (typeof standings)[number];

interface Waiting {
  readonly start: () => void;
  readonly refuse: (reason: Refusal) => void;
}

export class ReviewQueue {
  readonly #limit: number;
  readonly #maxWaiting: number;
  /** By standing. Unlikely tokens never wait. */
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
   * Runs work at once, or when its turn comes. When the queue is full, a token takes the place of a less likely one.
   *
   * @throws Refusal busy
   */
  async run<T>(standing: Standing, work: () => Promise<T>): Promise<T> {
    const isUnlikely = standing === "unlikely";
    if (isUnlikely) this.#admitUnlikely();
    else if (this.#running >= this.#limit) await this.#wait(standings.indexOf(standing));
    else this.#running += 1;
    try {
      return await work();
    } finally {
      if (isUnlikely) this.#unlikely -= 1;
      const next = this.#waiting.find((list) => list.length > 0)?.shift();
      // The place is handed on.
      if (next) next.start();
      else this.#running -= 1;
    }
  }

  /** Half of the places at most, so that a flood of such tokens keeps no other from being reviewed at once. */
  #admitUnlikely(): void {
    if (this.#running >= this.#limit || this.#unlikely >= Math.ceil(this.#limit / 2)) throw new Refusal("busy", 1);
    this.#running += 1;
    this.#unlikely += 1;
  }

  #wait(rank: number): Promise<void> {
    if (this.waiting >= this.#maxWaiting) this.#makeRoom(rank);
    return new Promise((start, refuse) => this.#waiting[rank]?.push({ start, refuse }));
  }

  /** The last that came of the least likely tokens gives way. */
  #makeRoom(rank: number): void {
    const displaced = this.#waiting
      .slice(rank + 1)
      .findLast((list) => list.length > 0)
      ?.pop();
    if (!displaced) throw new Refusal("busy", 1);
    displaced.refuse(new Refusal("busy", 1));
  }
}
