/** The reason that a deadline aborts with. */
export const deadlineReason = Symbol("deadline");

/** A time limit that can be suspended. */
export class Deadline implements Disposable {
  readonly #abort = new AbortController();
  #leftMs: number;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#leftMs = ms;
    this.#resume();
  }

  /** Aborts with `deadlineReason`. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Runs work whose duration does not count. */
  async suspended<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
    try {
      return await work();
    } finally {
      this.#resume();
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #resume(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#abort.abort(deadlineReason), Math.max(0, this.#leftMs));
  }
}
