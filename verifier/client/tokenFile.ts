/** Reads a projected token. The kubelet replaces the file after 80 % of the token's lifetime, or after 24 hours. */
import { readFile } from "node:fs/promises";
import { ClientError } from "./errors.ts";

export interface TokenFileOptions {
  /** Milliseconds of a monotonic clock. @default performance.now */
  readonly monotonic?: () => number;
  /** How long a token is used before the file is read again, in milliseconds. @default 30000 */
  readonly maxAgeMs?: number;
}

export class TokenFile {
  readonly path: string;
  readonly #monotonic: () => number;
  readonly #maxAgeMs: number;
  #token = "";
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, { monotonic = () => performance.now(), maxAgeMs = 30_000 }: TokenFileOptions = {}) {
    this.path = path;
    this.#monotonic = monotonic;
    this.#maxAgeMs = maxAgeMs;
  }

  /** @throws ClientError CLIENT_TOKEN_FILE if there is no previous token, and the file cannot be read or holds none */
  async get(): Promise<string> {
    if (this.#token && this.#monotonic() - this.#readAt < this.#maxAgeMs) return this.#token;
    try {
      const token = (await readFile(this.path, "utf8")).trim();
      if (!/^[\x21-\x7e]+$/.test(token)) {
        throw new ClientError(
          "CLIENT_TOKEN_FILE",
          `${this.path} holds no token: expected one line of printable characters.`,
        );
      }
      this.#token = token;
    } catch (error) {
      if (!this.#token) throw asClientError(error, this.path);
    }
    this.#readAt = this.#monotonic();
    return this.#token;
  }

  /** Reads the file again. Returns true if it holds another token than before. */
  async reread(): Promise<boolean> {
    const before = this.#token;
    this.#readAt = Number.NEGATIVE_INFINITY;
    return (await this.get()) !== before;
  }
}

function asClientError(error: unknown, path: string): ClientError {
  if (error instanceof ClientError) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new ClientError(
    "CLIENT_TOKEN_FILE",
    `${path} cannot be read (${code}). Mount a projected token for the service's audience there.`,
  );
}
