/**
 * The clocks. Durations are differences of `monotonic`, because the wall clock can be set. Dates in tokens, certificates and HTTP
 * headers are compared with `now`.
 */
export interface Clock {
  /** The wall clock: milliseconds since 1970. */
  now(): number;
  /** Milliseconds since an arbitrary moment. Never goes back, and is independent of the wall clock. */
  monotonic(): number;
  /** Resolves after this many milliseconds of the monotonic clock, or when the signal aborts. Does not keep the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      timer.unref();
      signal?.addEventListener("abort", done, { once: true });
    }),
};

/** A moment by both clocks, in milliseconds. */
export interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonic: clock.monotonic(), wall: clock.now() };
}

/**
 * Milliseconds since a moment, by the clock that advanced further. Limits of age need both clocks: the monotonic clock can stand still
 * while the machine is paused, and the wall clock can be set back.
 */
export function longestSince(moment: Moment, clock: Clock): number {
  return Math.max(clock.monotonic() - moment.monotonic, clock.now() - moment.wall);
}
