import { setTimeout as sleep } from "node:timers/promises";

/** Exponential pauses between attempts. Jitter: each pause lasts for a random part of its length, at least for half of it. */
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
 * @param askedMs pause that the server requests (Retry-After), in milliseconds. The backoff is added to it.
 * @throws AbortError if `signal` aborts
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
