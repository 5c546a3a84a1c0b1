/**
 * The API server's own audiences, as the verifier's own token names them: a token that is requested for no audience is for all of them
 * (`--api-audiences`). A caller's token that carries one of them is good at the API server too.
 */
import type { Clock } from "../clock.ts";
import { readText, tokenOf } from "../net/fileSource.ts";
import { decode } from "./decode.ts";

/** As long as other files are used before they are read again. */
const maxAgeMs = 30_000;

export class ApiAudiences {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onLearned: (audiences: readonly string[]) => void;
  #audiences: readonly string[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  /** @param onLearned called when they are known, and when they change */
  constructor(path: string, clock: Clock, onLearned: (audiences: readonly string[]) => void) {
    this.#path = path;
    this.#clock = clock;
    this.#onLearned = onLearned;
  }

  /** Those that are known; none where the verifier has no token, or one that is no JWT. */
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
    // A token that cannot be read for a while takes nothing back.
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
