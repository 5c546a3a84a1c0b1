import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** The command line is wrong. The exit status is 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Parses strictly: unknown options and stray arguments are usage errors. @throws UsageError */
export function parse<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T, positionals = 0) {
  const parsed = parseStrictly(args, options);
  if (parsed.positionals.length > positionals) {
    throw new UsageError(`unexpected argument "${parsed.positionals[positionals]}"`);
  }
  return parsed;
}

function parseStrictly<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The message goes on with advice about arguments that start with "-". No command has such an argument.
    if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw new UsageError(message.replace(/\. To specify .*/s, ""));
    if (code?.startsWith("ERR_PARSE_ARGS_")) throw new UsageError(message);
    throw error;
  }
}
