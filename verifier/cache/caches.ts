/** Caches of decisions. Accepted and refused tokens have separate caches, so that a flood of forged tokens displaces no accepted one. */
import { hash, randomBytes } from "node:crypto";
import type { Moment } from "../clock.ts";
import type { RefusalReason } from "../errors.ts";
import { Lru } from "./lru.ts";

/** An accepted token in the cache. */
export interface Remembered<Answer> {
  readonly token: string;
  readonly answer: Answer;
  /** The entry expires when one of the clocks reaches its limit. */
  readonly until: Moment;
  /** False if a key was removed since the decision. */
  readonly isCurrent: () => boolean;
  /** Memory of the answer, in bytes. */
  readonly answerBytes: number;
}

/** Characters at the end of a signature that identify a token. */
const tailLength = 43;
const MiB = 1024 * 1024;
/** Memory limits of the accepted tokens and of each set of digests. http/capacity.ts reserves one of the first and two of the second. */
const maxBytes = { accepted: 48 * MiB, digests: 2 * MiB };
/** Memory of an entry in addition to token and answer. */
const acceptedEntryBytes = 512;
/** Memory of an entry whose key is a digest. */
const digestEntryBytes = 256;

/**
 * Cache of accepted tokens. The key is the end of the signature, and a hit compares the whole token. This is four times as fast as a SHA-256
 * of the token, and a collision accepts no other token. Tokens are in memory until they expire from the cache.
 */
export class AcceptedCache<Answer> {
  readonly #entries: Lru<Remembered<Answer>>;

  constructor(maxEntries: number) {
    this.#entries = new Lru(maxEntries, maxBytes.accepted);
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.weight;
  }

  get(token: string, now: Moment): Answer | undefined {
    const tail = token.slice(-tailLength);
    const entry = this.#entries.get(tail);
    if (entry === undefined || entry.token !== token) return undefined;
    if (holds(entry, now)) return entry.answer;
    this.#entries.delete(tail);
    return undefined;
  }

  set(entry: Remembered<Answer>): void {
    const bytes = acceptedEntryBytes + entry.token.length + entry.answerBytes;
    this.#entries.set(entry.token.slice(-tailLength), entry, bytes);
  }

  /** Removes expired entries. */
  sweep(now: Moment): void {
    this.#entries.deleteWhere((entry) => !holds(entry, now));
  }
}

function holds<Answer>({ until, isCurrent }: Remembered<Answer>, now: Moment): boolean {
  return now.monotonic < until.monotonic && now.wall < until.wall && isCurrent();
}

/** Digests of tokens. They include a secret of the process, so that a client cannot search for collisions. */
export class TokenDigest {
  readonly #prefix = randomBytes(32).toString("latin1");

  of(token: string): string {
    return hash("sha256", this.#prefix + token, "base64");
  }
}

interface RememberedRefusal {
  readonly reason: RefusalReason;
  /** By the monotonic clock. */
  readonly until: number;
}

/** Cache of refused tokens, by digest. */
export class RefusedCache {
  readonly #entries: Lru<RememberedRefusal>;

  constructor(maxEntries: number) {
    this.#entries = new Lru(maxEntries, maxBytes.digests);
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#entries.weight;
  }

  get(digest: string, monotonic: number): RefusalReason | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    if (monotonic < entry.until) return entry.reason;
    this.#entries.delete(digest);
    return undefined;
  }

  set(digest: string, reason: RefusalReason, until: number): void {
    this.#entries.set(digest, { reason, until }, digestEntryBytes);
  }

  /** Removes expired entries. */
  sweep(monotonic: number): void {
    this.#entries.deleteWhere(({ until }) => until <= monotonic);
  }
}

/** A set of tokens by digest. It evicts the least recently used one first. */
export class DigestSet {
  readonly #digest = new TokenDigest();
  readonly #entries: Lru<true>;

  constructor(maxEntries: number) {
    this.#entries = new Lru(maxEntries, maxBytes.digests);
  }

  has(token: string): boolean {
    return this.#entries.get(this.#digest.of(token)) ?? false;
  }

  add(token: string): void {
    this.#entries.set(this.#digest.of(token), true, digestEntryBytes);
  }

  delete(token: string): void {
    this.#entries.delete(this.#digest.of(token));
  }
}
