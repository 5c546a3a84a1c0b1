/** Pauses between attempts. Pure. */

/**
 * Exponential with full jitter: anything up to the limit of this attempt, so that many clients do not come back together.
 *
 * @param attempt how many have failed, from 1
 * @param random 0 to 1
 */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30)) * random;
}

/**
 * What a Retry-After header asks for (RFC 9110 §10.2.3: seconds or a date), in milliseconds; 0 for none or nonsense, and
 * never more than the limit.
 */
export function retryAfterMs(value: string | null, nowMs: number, maxMs: number): number {
  if (value === null) return 0;
  const text = value.trim();
  const date = /^\D.* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  const asked = /^\d+$/.test(text) ? Number(text) * 1000 : date - nowMs;
  return Number.isFinite(asked) ? Math.min(maxMs, Math.max(0, asked)) : 0;
}
