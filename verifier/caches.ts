/** What was decided lately. Two caches, so that refused tokens, which anybody can make up, never push out accepted ones. */
import { hash, randomBytes } from "node:crypto";
import type { RefusalReason } from "./errors.ts";
import { Lru } from "./lru.ts";

/** A decision that still holds under some conditions. */
export interface Remembered<Answer> {
  readonly token: string;
  readonly answer: Answer;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** The decision falls with the keys that it was made with. */
  readonly isCurrent: () => boolean;
}

/** Enough of a signature that no two tokens share it by chance. */
const tailLength = 43;
/** Beside the token itself: identity, answers and the cache's own. */
const entryBytes = 4096;
/** Tokens are a good kilobyte; a full cache of the longest ones must not take all memory. */
const maxBytes = 64 * 1024 * 1024;

/**
 * Accepted tokens, found by the end of their signature and compared as a whole: exact, and four times as fast as a SHA-256. It holds
 * tokens, as the memory of every server does that receives them, for no longer than they are accepted.
 */
export class AcceptedCache<Answer> {
  readonly #entries: Lru<Remembered<Answer>>;

  constructor(maxEntries: number) {
    this.#entries = new Lru(maxEntries, maxBytes);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(token: string, now: number): Answer | undefined {
    const tail = token.slice(-tailLength);
    const entry = this.#entries.get(tail);
    if (entry === undefined || entry.token !== token) return undefined;
    if (now < entry.until && entry.isCurrent()) return entry.answer;
    this.#entries.delete(tail);
    return undefined;
  }

  set(entry: Remembered<Answer>): void {
    this.#entries.set(entry.token.slice(-tailLength), entry, entry.token.length + entryBytes);
  }
}

/** Refused tokens and work in progress go by a digest with a secret of this process: nobody outside can make two of one. */
export class TokenDigest {
  readonly #prefix = randomBytes(32).toString("latin1");

  of(token: string): string {
    return hash("sha256", this.#prefix + token, "base64");
  }
}

interface Refused {
  readonly reason: RefusalReason;
  readonly until: number;
}

/** Refused tokens, by digest. */
export class RefusedCache {
  readonly #entries: Lru<Refused>;

  constructor(maxEntries: number) {
    this.#entries = new Lru(maxEntries);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(digest: string, now: number): RefusalReason | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    if (now < entry.until) return entry.reason;
    this.#entries.delete(digest);
    return undefined;
  }

  set(digest: string, reason: RefusalReason, until: number): void {
    this.#entries.set(digest, { reason, until });
  }
}
