/** Files that others replace while we run: tokens that rotate, certificates, keys. */
import { readFile } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { VerifierError } from "../errors.ts";

const maxBytes = 1024 * 1024;

/** A file's text, read again when it is older than its time; while it cannot be read, or is no use, the last text serves. */
export class FileSource {
  readonly path: string;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #check: (text: string, path: string) => void;
  #text: string | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> | undefined;

  /** @param check throws for a text that is no use */
  constructor(path: string, clock: Clock, check: (text: string, path: string) => void, maxAgeMs = 30_000) {
    this.path = path;
    this.#check = check;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /** @throws VerifierError FILE_UNREADABLE, or what the check throws, when it never was of use */
  async get(): Promise<string> {
    if (this.#text !== undefined && this.#clock.monotonic() - this.#readAt < this.#maxAgeMs) return this.#text;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** The next `get` reads. */
  expire(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #read(): Promise<string> {
    try {
      const text = await readText(this.path);
      this.#check(text, this.path);
      this.#text = text;
    } catch (error) {
      if (this.#text === undefined) throw error;
    }
    this.#readAt = this.#clock.monotonic();
    return this.#text;
  }
}

/** @throws VerifierError FILE_UNREADABLE */
export async function readText(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    if (text.trim() === "" || text.length > maxBytes) {
      throw new VerifierError("FILE_UNREADABLE", `${path} is empty or larger than ${maxBytes} bytes.`);
    }
    return text;
  } catch (error) {
    if (error instanceof VerifierError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new VerifierError(
      "FILE_UNREADABLE",
      `${path} cannot be read (${code}): check that it is mounted, and that this process may read it.`,
    );
  }
}

/**
 * A bearer token file's token.
 *
 * @throws VerifierError TOKEN_FILE_INVALID for what cannot stand in a header
 */
export function tokenOf(text: string, path: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new VerifierError(
    "TOKEN_FILE_INVALID",
    `${path} holds no bearer token: expected one line of printable characters.`,
  );
}
