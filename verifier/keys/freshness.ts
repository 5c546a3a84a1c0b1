/** How long a fetched key set may be used before it is fetched again (RFC 9111). Pure. */

export const minFreshMs = 30_000;
export const maxFreshMs = 3_600_000;
/** For answers that say nothing. */
export const standardFreshMs = 300_000;

/** From the headers of an answer, in milliseconds, always within half a minute and an hour. */
export function freshForMs(headers: Readonly<Record<string, string | string[] | undefined>>, nowMs: number): number {
  return Math.min(maxFreshMs, Math.max(minFreshMs, said(headers, nowMs)));
}

function said(headers: Readonly<Record<string, string | string[] | undefined>>, nowMs: number): number {
  const control = String(headers["cache-control"] ?? "").toLowerCase();
  if (/\b(no-store|no-cache)\b/.test(control)) return minFreshMs;
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,10})"?/.exec(control)?.[1];
  if (maxAge !== undefined) {
    const age = Number(headers.age ?? 0);
    return (Number(maxAge) - (Number.isFinite(age) && age > 0 ? age : 0)) * 1000;
  }
  if (typeof headers.expires === "string") {
    const date = typeof headers.date === "string" ? Date.parse(headers.date) : nowMs;
    const lasts = Date.parse(headers.expires) - (Number.isNaN(date) ? nowMs : date);
    // A date that cannot be read, "0" above all, is in the past (RFC 9111 §5.3).
    return Number.isNaN(lasts) ? minFreshMs : lasts;
  }
  return standardFreshMs;
}
