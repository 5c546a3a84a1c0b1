/** Reads files that change while the verifier runs: tokens, certificates, keys. */
import { readFile } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { VerifierError } from "../errors.ts";

const maxBytes = 1024 * 1024;

/**
 * The text of a file. It is read again when it is older than `maxAgeMs`. If the file cannot be read or is invalid, the previous text stays
 * in use.
 */
export class FileSource {
  readonly path: string;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #check: (text: string, path: string) => void;
  #text: string | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<string> | undefined;

  /** @param check throws if the text is invalid */
  constructor(path: string, clock: Clock, check: (text: string, path: string) => void, maxAgeMs = 30_000) {
    this.path = path;
    this.#check = check;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /** @throws VerifierError FILE_UNREADABLE, or the error of the check, if there is no previous text */
  async get(): Promise<string> {
    if (this.#text !== undefined && this.#clock.monotonic() - this.#readAt < this.#maxAgeMs) return this.#text;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Makes the next `get` read the file again. */
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

/**
 * Reads a text file of up to 1 MiB.
 *
 * @throws VerifierError FILE_UNREADABLE, also for an empty file
 */
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
      `${path} cannot be read (${code}). Check that it is mounted and that the process has the permission to read it.`,
    );
  }
}

/**
 * The token in the text of a bearer token file.
 *
 * @throws VerifierError TOKEN_FILE_INVALID if the text cannot be sent in a header
 */
export function tokenOf(text: string, path: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new VerifierError(
    "TOKEN_FILE_INVALID",
    `${path} holds no bearer token: expected one line of printable characters.`,
  );
}
