/** Structured logs: JSON lines on standard output, with levels by name. Nothing that is logged holds a token. */
import pino from "pino";
import type { LogLevel } from "./config/config.ts";
import { VerifierError } from "./errors.ts";

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export function createLog(
  level: LogLevel,
  write: (line: string) => void = (line) => void process.stdout.write(line),
): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
}

/** An error as fields: our own codes and texts, and of all others no more than their name and code. */
export function errorFields(error: unknown): object {
  if (error instanceof VerifierError) return { code: error.code, detail: error.message };
  const { name = "unknown", code } = (error ?? {}) as NodeJS.ErrnoException;
  return { code: code ?? "INTERNAL", detail: name };
}

/** Lets so many lines through in each second, and says how many it kept back. */
export class LineLimit {
  readonly #perSecond: number;
  readonly #now: () => number;
  #second = 0;
  #count = 0;
  #suppressed = 0;

  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond;
    this.#now = now;
  }

  /** Fields to add to the line, or `undefined` when it is one too many. */
  admit(): { readonly suppressed?: number } | undefined {
    const second = Math.floor(this.#now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    if (this.#count > this.#perSecond) {
      this.#suppressed += 1;
      return undefined;
    }
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed > 0 ? { suppressed } : {};
  }
}
