/** From a token to a decision: grammar, caches, one verification for all who ask at the same time, and the issuer's authority. */
import { AcceptedCache, RefusedCache, TokenDigest } from "./cache/caches.ts";
import { type Clock, momentOf } from "./clock.ts";
import { Refusal, type RefusalReason, refusals } from "./errors.ts";
import type { Acceptance, Authority } from "./token/authority.ts";
import { decode } from "./token/decode.ts";
import { checkGrammar } from "./token/grammar.ts";
import type { Identity } from "./token/identity.ts";

export interface DeciderOptions<Answer> {
  readonly authorities: readonly Authority[];
  readonly clock: Clock;
  readonly cacheEntries: number;
  readonly refusedCacheEntries: number;
  readonly refusedCacheSeconds: number;
  /** What is remembered for an accepted token: made once, sent many times. */
  readonly prepare: (identity: Identity, routes: Acceptance["routes"]) => Answer;
  /** Memory of what is remembered. */
  readonly bytesOf: (answer: Answer) => number;
  /** Called with what is no refusal: a defect, or a file that cannot be read. */
  readonly onError?: (error: unknown) => void;
  /** Called after each verification that no cache spared. */
  readonly onVerified?: (ms: number) => void;
}

export interface Refused {
  readonly reason: RefusalReason;
  readonly retryAfterSeconds?: number | undefined;
  /** Who was refused, once that is certain (403). */
  readonly identity?: Identity;
  /** For the log alone. */
  readonly detail?: string | undefined;
}

export type Decision<Answer> =
  | { readonly accepted: Answer }
  | { readonly accepted: undefined; readonly refused: Refused };

/** Verifications at a time; more would only grow the memory, not the speed. */
const maxPending = 2_048;

/** Refusals that may be over the next moment, and how long they hold at most, in seconds. */
const shortLived: Partial<Record<RefusalReason, number>> = { unknown_key: 0, not_yet_valid: 0, review_refused: 1 };

export class Decider<Answer extends object> {
  readonly #options: DeciderOptions<Answer>;
  readonly #accepted: AcceptedCache<Answer>;
  readonly #refused: RefusedCache;
  readonly #digest = new TokenDigest();
  readonly #pending = new Map<string, Promise<Decision<Answer>>>();
  readonly counts = { acceptedHits: 0, refusedHits: 0, misses: 0, shared: 0 };

  constructor(options: DeciderOptions<Answer>) {
    this.#options = options;
    this.#accepted = new AcceptedCache(options.cacheEntries);
    this.#refused = new RefusedCache(options.refusedCacheEntries);
  }

  /** Entries and bytes of both caches. */
  get cached() {
    const [accepted, refused] = [this.#accepted, this.#refused];
    return {
      accepted: { entries: accepted.size, bytes: accepted.bytes },
      refused: { entries: refused.size, bytes: refused.bytes },
    };
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** The answer for a token that was accepted lately. */
  recall(token: string): Answer | undefined {
    const answer = this.#accepted.get(token, momentOf(this.#options.clock));
    if (answer) this.counts.acceptedHits += 1;
    return answer;
  }

  /** Removes remembered tokens that are no longer accepted or refused without another look. */
  sweep(): void {
    const now = momentOf(this.#options.clock);
    this.#accepted.sweep(now);
    this.#refused.sweep(now.monotonic);
  }

  /** Decides about a token that `recall` does not know. Never rejects. */
  decide(token: string): Decision<Answer> | Promise<Decision<Answer>> {
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
    // Taken out in a later turn at the earliest, also where the decision falls at once: what went before it was put in would stay.
    const work = this.#verify(token, digest).finally(() => this.#pending.delete(digest));
    this.#pending.set(digest, work);
    return work;
  }

  async #verify(token: string, digest: string): Promise<Decision<Answer>> {
    const { clock, prepare, bytesOf, onError, onVerified } = this.#options;
    const startedAt = momentOf(clock);
    const measuredFrom = performance.now();
    try {
      const decoded = decode(token);
      const authority = this.#authorityOf(decoded.payload.iss);
      const { identity, cacheSeconds, routes, generation } = await authority.decide(token, decoded);
      const leftMs = (identity.expiresAt ?? Number.POSITIVE_INFINITY) * 1000 - startedAt.wall;
      const holdsMs = Math.min(leftMs, cacheSeconds * 1000);
      // What was reviewed is as old as the question, not as the answer.
      const until = { monotonic: startedAt.monotonic + holdsMs, wall: startedAt.wall + holdsMs };
      if (routes.length === 0) {
        this.#refuseFor(digest, "not_allowed", until.monotonic);
        return refuse("not_allowed", { identity });
      }
      const answer = prepare(identity, routes);
      if (holdsMs > 0) {
        const isCurrent = () => authority.generation === generation;
        this.#accepted.set({ token, answer, until, isCurrent, answerBytes: bytesOf(answer) });
      }
      return { accepted: answer };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        onError?.(error);
        return refuse("internal", { retryAfterSeconds: 1 });
      }
      if (refusals[error.reason].status === 401) this.#refuseFor(digest, error.reason, Number.POSITIVE_INFINITY);
      return refuse(error.reason, error);
    } finally {
      onVerified?.(performance.now() - measuredFrom);
    }
  }

  /** @param limit by the monotonic clock */
  #refuseFor(digest: string, reason: RefusalReason, limit: number): void {
    const now = this.#options.clock.monotonic();
    const seconds = Math.min(this.#options.refusedCacheSeconds, shortLived[reason] ?? Number.POSITIVE_INFINITY);
    const until = Math.min(limit, now + seconds * 1000);
    if (until > now) this.#refused.set(digest, reason, until);
  }

  /** The authority of a token's issuer, or the one that accepts every issuer. While an issuer's name is not known yet, no token is rejected for its issuer. */
  #authorityOf(issuer: unknown): Authority {
    const { authorities } = this.#options;
    const found =
      authorities.find((authority) => authority.issuer !== undefined && authority.issuer === issuer) ??
      authorities.find((authority) => authority.takesAll);
    if (found) return found;
    if (authorities.some((authority) => authority.isNameless)) throw new Refusal("keys_unavailable", 1);
    throw new Refusal("unknown_issuer");
  }
}

function refuse(
  reason: RefusalReason,
  { retryAfterSeconds, identity, detail }: Omit<Refused, "reason"> = {},
): { accepted: undefined; refused: Refused } {
  return { accepted: undefined, refused: { reason, retryAfterSeconds, ...(identity && { identity }), detail } };
}
