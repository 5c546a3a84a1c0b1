import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The command line is wrong. The exit status is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Whether an error is a UsageError or one of `parseArgs` of node:util. */
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
