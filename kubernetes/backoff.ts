import { setTimeout as sleep } from "node:timers/promises";

/** Pauses between attempts: exponential, with jitter (half to the whole pause). */
export interface Backoff {
  /** First pause, in milliseconds; doubles with each attempt. */
  readonly firstMs: number;
  /** Longest pause, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Waits before the next attempt.
 *
 * @param attempt the attempt that failed, from 1
 * @param askedMs pause that the server asked for (Retry-After), which is added
 * @throws AbortError
 */
export async function pause(
  { firstMs, maxMs }: Backoff,
  attempt: number,
  askedMs: number,
  signal: AbortSignal,
): Promise<void> {
  const backoff = Math.min(firstMs * 2 ** (attempt - 1), maxMs);
  await sleep(askedMs + backoff * (0.5 + Math.random() / 2), undefined, { signal });
}
