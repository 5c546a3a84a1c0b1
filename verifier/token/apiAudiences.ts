/**
 * Reads the API server's audiences (`--api-audiences`) from the verifier's own token: a token that is requested without an audience is for
 * all of them. The API server accepts a caller's token that has one of them.
 */
import type { Clock } from "../clock.ts";
import { readText, tokenOf } from "../net/fileSource.ts";
import { decode } from "./decode.ts";

/** The default of FileSource. */
const maxAgeMs = 30_000;

export class ApiAudiences {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onLearned: (audiences: readonly string[]) => void;
  #audiences: readonly string[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param onLearned called when the audiences are known, and after each change */
  constructor(path: string, clock: Clock, onLearned: (audiences: readonly string[]) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#onLearned = onLearned;
  }

  /** The audiences; empty if the verifier has no token, or if it is not a JWT. */
  async get(): Promise<readonly string[]> {
    if (this.#clock.monotonic() - this.#readAt >= maxAgeMs) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
      await this.#reading;
    }
    return this.#audiences;
  }

  async #read(): Promise<void> {
    const found = await audiencesOf(this.#path);
    this.#readAt = this.#clock.monotonic();
    // If the token cannot be read, the previous audiences stay in use.
    if (found.length === 0 || found.join("\n") === this.#audiences.join("\n")) return;
    this.#audiences = found;
    this.#onLearned(found);
  }
}

async function audiencesOf(path: string): Promise<readonly string[]> {
  try {
    const { aud } = decode(tokenOf(await readText(path), path)).payload;
    const list = typeof aud === "string" ? [aud] : aud;
    return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}
