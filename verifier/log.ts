/** Logs JSON lines to standard output, without users and passwords of URLs. Callers pass no tokens. */
import { type LogLevel, logLevels } from "./config/config.ts";
import { VerifierError, type VerifierErrorCode } from "./errors.ts";
import { withoutUserinfo } from "./redact.ts";

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
  const lowest = logLevels.indexOf(level);
  const at = (name: keyof Log) => {
    if (logLevels.indexOf(name) < lowest) return () => {};
    return (fields: object, msg: string) => {
      const line = JSON.stringify({ level: name, time: new Date().toISOString(), ...fields, msg });
      write(`${withoutUserinfo(line)}\n`);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** Fields of an error: code and message of a VerifierError. Messages of other errors can contain secrets, so only code and name are logged. */
export function errorFields(error: unknown): object {
  if (error instanceof VerifierError) return { code: error.code, detail: error.message };
  const { name = "unknown", code } = (error ?? {}) as NodeJS.ErrnoException;
  return { code: code ?? ("INTERNAL" satisfies VerifierErrorCode), detail: name };
}

/** Limits the number of log lines in each second, and counts the suppressed ones. */
export class LineLimit {
  readonly #perSecond: number;
  readonly #monotonic: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;
  #suppressed = 0;

  /** @param monotonic see Clock */
  constructor(perSecond: number, monotonic: () => number) {
    this.#perSecond = perSecond;
    this.#monotonic = monotonic;
  }

  /** Fields to add to the line; `undefined` if the line is above the limit. */
  admit(): { readonly suppressed?: number } | undefined {
    const now = this.#monotonic();
    if (now - this.#since >= 1000) {
      this.#since = now;
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
