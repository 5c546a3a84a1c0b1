import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** A command line that can't be run: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS_");
}

/** Parses strictly: unknown options and stray arguments are usage errors. */
export function parse<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T, positionals = 0) {
  const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  if (parsed.positionals.length > positionals) {
    throw new UsageError(`unexpected argument "${parsed.positionals[positionals]}"`);
  }
  return parsed;
}
