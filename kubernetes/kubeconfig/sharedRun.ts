import { KubeError } from "../errors.ts";

interface Running<T> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  waiters: number;
}

/** One run for all concurrent callers. It is aborted when the signal of the last of them aborts. */
export class SharedRun<T> {
  readonly #what: string;
  #running: Running<T> | undefined;

  /** @param what subject of the error message for an aborted caller */
  constructor(what: string) {
    this.#what = what;
  }

  /** Joins the run, or starts one. @param anew always starts one */
  async join(start: (signal: AbortSignal) => Promise<T>, anew: boolean, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw this.#cancelled();
    const running = anew || this.#running === undefined ? this.#start(start) : this.#running;
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(this.#cancelled());
    signal?.addEventListener("abort", abort, { once: true });
    running.waiters++;
    try {
      return await Promise.race([running.result, aborted.promise]);
    } finally {
      signal?.removeEventListener("abort", abort);
      if (--running.waiters === 0) {
        if (this.#running === running) this.#running = undefined;
        running.abort.abort();
      }
    }
  }

  #start(start: (signal: AbortSignal) => Promise<T>): Running<T> {
    const abort = new AbortController();
    const result = start(abort.signal).finally(() => {
      if (this.#running === running) this.#running = undefined;
    });
    const running: Running<T> = { result, abort, waiters: 0 };
    this.#running = running;
    return running;
  }

  #cancelled(): KubeError {
    return new KubeError("KUBE_CANCELLED", `${this.#what} was cancelled.`);
  }
}
