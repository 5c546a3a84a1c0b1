/** Recent decisions. Two caches, so that refused tokens, which anybody can forge, never displace accepted ones. */
import { hash, randomBytes } from "node:crypto";
import type { Moment } from "../clock.ts";
import type { RefusalReason } from "../errors.ts";
import { Lru } from "./lru.ts";

/** A decision that still holds under some conditions. */
export interface Remembered<Answer> {
  readonly token: string;
  readonly answer: Answer;
  /** The entry lapses when either clock reaches its limit. */
  readonly until: Moment;
  /** The decision falls with the keys that it was made with. */
  readonly isCurrent: () => boolean;
  /** Memory of the answer. */
  readonly answerBytes: number;
}

/** Enough of a signature that no two tokens share it by chance. */
const tailLength = 43;
const MiB = 1024 * 1024;
/** Most memory of each cache: http/capacity.ts reserves their sum. */
const maxBytes = { accepted: 48 * MiB, digests: 2 * MiB };
/** Of an entry beside token and answer: the cache's own objects. */
const acceptedEntryBytes = 512;
/** Of an entry that is found by its digest. */
const digestEntryBytes = 256;

/**
 * Accepted tokens, found by the end of their signature and compared as a whole: exact, and four times as fast as a SHA-256. It holds
 * tokens, as the memory of every server does that receives them, for no longer than they are accepted.
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

  /** Removes what lapsed. */
  sweep(now: Moment): void {
    this.#entries.deleteWhere((entry) => !holds(entry, now));
  }
}

function holds<Answer>({ until, isCurrent }: Remembered<Answer>, now: Moment): boolean {
  return now.monotonic < until.monotonic && now.wall < until.wall && isCurrent();
}

/** Refused tokens and work in progress are found by a digest with a secret of this process: outside, no two tokens of one digest can be found. */
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

/** Refused tokens, by digest. */
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

  /** Removes what lapsed. */
  sweep(monotonic: number): void {
    this.#entries.deleteWhere(({ until }) => until <= monotonic);
  }
}

/** Tokens, by digest, without the tokens themselves: those used least recently are forgotten first. */
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
