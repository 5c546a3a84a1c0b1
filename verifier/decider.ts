/**
 * Decides whether a token is accepted: looks it up in the caches, checks its encoding, and lets its issuer verify it. Concurrent requests with
 * the same token share one verification.
 */
import { AcceptedCache, RefusedCache, TokenDigest } from "./cache/caches.ts";
import { type Clock, momentOf } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { Refusal, type RefusalReason, refusals } from "./errors.ts";
import { type AcceptedAnswer, acceptedAnswer, acceptedBytes } from "./http/answers.ts";
import { decode } from "./token/decode.ts";
import { checkGrammar } from "./token/grammar.ts";
import type { Identity } from "./token/identity.ts";
import type { Issuers } from "./token/issuers.ts";

export interface DeciderOptions {
  readonly issuers: Issuers;
  readonly clock: Clock;
  readonly settings: Pick<Config, "cacheEntries" | "refusedCacheEntries" | "refusedCacheSeconds">;
  /** Called with an error that is not a refusal: a defect, or a file that cannot be read. */
  readonly onError: (error: unknown) => void;
  /** Called after each verification with its duration in milliseconds, reviews included. */
  readonly onVerified: (ms: number) => void;
}

export interface Refused {
  readonly reason: RefusalReason;
  readonly retryAfterSeconds?: number | undefined;
  /** The caller, if the token was verified (403). */
  readonly identity?: Identity;
  /** For the log only. */
  readonly detail?: string | undefined;
}

export type Decision =
  | { readonly accepted: AcceptedAnswer }
  | { readonly accepted: undefined; readonly refused: Refused };

/** Limit of concurrent verifications. Further ones would use memory and would not be faster. */
const maxPending = 2_048;

/** Longest cache time, in seconds, of refusals that can soon be outdated. */
const shortLived: Partial<Record<RefusalReason, number>> = { unknown_key: 0, not_yet_valid: 0, review_refused: 1 };

export class Decider {
  readonly #options: DeciderOptions;
  readonly #accepted: AcceptedCache<AcceptedAnswer>;
  readonly #refused: RefusedCache;
  readonly #digest = new TokenDigest();
  readonly #pending = new Map<string, Promise<Decision>>();
  /** Lookups by result. `shared`: the verification was in progress. `misses`: a verification was started. */
  readonly counts = { acceptedHits: 0, refusedHits: 0, misses: 0, shared: 0 };

  constructor(options: DeciderOptions) {
    this.#options = options;
    this.#accepted = new AcceptedCache(options.settings.cacheEntries);
    this.#refused = new RefusedCache(options.settings.refusedCacheEntries);
  }

  /** Entries and bytes of both caches. */
  get cached() {
    const [accepted, refused] = [this.#accepted, this.#refused];
    return {
      accepted: { entries: accepted.size, bytes: accepted.bytes },
      refused: { entries: refused.size, bytes: refused.bytes },
    };
  }

  /** Verifications in progress. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The cached answer for an accepted token. */
  recall(token: string): AcceptedAnswer | undefined {
    const answer = this.#accepted.get(token, momentOf(this.#options.clock));
    if (answer) this.counts.acceptedHits += 1;
    return answer;
  }

  /** Removes expired entries from the caches. */
  sweep(): void {
    const now = momentOf(this.#options.clock);
    this.#accepted.sweep(now);
    this.#refused.sweep(now.monotonic);
  }

  /** Decides about a token that `recall` does not find. Never rejects. */
  decide(token: string): Decision | Promise<Decision> {
    const { clock } = this.#options;
    try {
      checkGrammar(token);
    } catch {
      return refuse("malformed_token");
    }
    const digest = this.#digest.of(token);
    const reason = this.#refused.get(digest, clock.monotonic());
    if (reason) {
      this.counts.refusedHits += 1;
      return refuse(reason);
    }
    const pending = this.#pending.get(digest);
    if (pending) {
      this.counts.shared += 1;
      return pending;
    }
    if (this.#pending.size >= maxPending) return refuse("busy", { retryAfterSeconds: 1 });
    this.counts.misses += 1;
    // `finally` runs in a microtask, after `set`, even if the verification ends without a wait.
    const work = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, work);
    return work;
  }

  async #verify(token: string, digest: string): Promise<Decision> {
    const { clock, issuers, onError, onVerified } = this.#options;
    const startedAt = momentOf(clock);
    const measuredFrom = performance.now();
    try {
      const decoded = decode(token);
      const issuer = issuers.of(decoded.payload.iss);
      const { identity, cacheSeconds, routes, generation } = await issuer.decide(token, decoded);
      const leftMs = (identity.expiresAt ?? Number.POSITIVE_INFINITY) * 1000 - startedAt.wall;
      const cacheMs = Math.min(leftMs, cacheSeconds * 1000);
      // The cache time starts before the review: the API server can have decided as early as that.
      const until = { monotonic: startedAt.monotonic + cacheMs, wall: startedAt.wall + cacheMs };
      if (routes.length === 0) {
        this.#cacheRefusal(digest, "not_allowed", until.monotonic);
        return refuse("not_allowed", { identity });
      }
      const answer = acceptedAnswer(identity, routes);
      if (cacheMs > 0) {
        const isCurrent = () => issuer.generation === generation;
        this.#accepted.set({ token, answer, until, isCurrent, answerBytes: acceptedBytes(answer) });
      }
      return { accepted: answer };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        onError(error);
        return refuse("internal", { retryAfterSeconds: 1 });
      }
      if (refusals[error.reason].status === 401) this.#cacheRefusal(digest, error.reason, Number.POSITIVE_INFINITY);
      return refuse(error.reason, error);
    } finally {
      onVerified(performance.now() - measuredFrom);
    }
  }

  /** @param limit latest expiry of the entry, by the monotonic clock */
  #cacheRefusal(digest: string, reason: RefusalReason, limit: number): void {
    const now = this.#options.clock.monotonic();
    const { refusedCacheSeconds } = this.#options.settings;
    const seconds = Math.min(refusedCacheSeconds, shortLived[reason] ?? Number.POSITIVE_INFINITY);
    const until = Math.min(limit, now + seconds * 1000);
    if (until > now) this.#refused.set(digest, reason, until);
  }
}

function refuse(
  reason: RefusalReason,
  { retryAfterSeconds, identity, detail }: Omit<Refused, "reason"> = {},
): { accepted: undefined; refused: Refused } {
  return { accepted: undefined, refused: { reason, retryAfterSeconds, ...(identity && { identity }), detail } };
}
