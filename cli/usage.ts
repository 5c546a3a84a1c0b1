import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

/** A command line that can't be run: exit status 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS_");
}

/** Options of every command that works on a stack. */
export const stackOptions = {
  stack: { type: "string", short: "s" },
  cwd: { type: "string", short: "C" },
  "config-file": { type: "string" },
} as const satisfies ParseArgsOptionsConfig;

export const stackOptionsHelp = `  -s, --stack NAME        The stack; default K8SAUTH_STACK, or the only one that there is
  -C, --cwd FOLDER        The folder of Pulumi.yaml; default this folder, else the product's own
      --config-file FILE  The stack's settings; default Pulumi.STACK.yaml beside Pulumi.yaml`;

/** Parses strictly: unknown options and stray arguments are usage errors. */
export function parse<T extends ParseArgsOptionsConfig>(args: readonly string[], options: T, positionals = 0) {
  const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  if (parsed.positionals.length > positionals) {
    throw new UsageError(`unexpected argument "${parsed.positionals[positionals]}"`);
  }
  return parsed;
}
