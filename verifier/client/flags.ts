/** The command's flags and variables. */
import { ClientError } from "./errors.ts";

export interface ClientCommand {
  readonly url: string;
  readonly tokenFile: string;
  readonly caFile: string | undefined;
  /** Pause between two calls; `undefined`: one call. */
  readonly intervalSeconds: number | undefined;
  readonly timeoutSeconds: number;
  readonly attempts: number;
  readonly showBody: boolean;
}

const flags = {
  "--url": "URL to call. Required",
  "--token-file": "File with the projected token. Required",
  "--ca-file": "CA of the service's certificate (PEM). Default: the public CAs",
  "--interval": "Seconds between two calls. Default: one call",
  "--timeout": "Seconds for one attempt [5]",
  "--attempts": "Limit of attempts for a call [4]",
  "--show-body": "yes prints the answer's body too [no]",
} as const;
type Flag = keyof typeof flags;

export const clientHelp = `Usage: node client.mjs --url URL --token-file FILE [flags]

Calls a service with the bearer token in a file, which is read again when it changes. Prints one JSON line for each call.
Exit codes: 0 after an answer of 200 to 299, 1 after any other answer or none, 2 for invalid flags.
With --interval, SIGTERM and SIGINT end the command with the exit code of the last call that ended before.

${Object.entries(flags)
  .map(([flag, help]) => `  ${flag.padEnd(14)} ${help}`)
  .join("\n")}

Each flag is also a variable: --token-file is K8SAUTH_CLIENT_TOKEN_FILE.
`;

/** @throws ClientError CLIENT_CONFIG */
export function clientCommand(args: readonly string[], env: NodeJS.ProcessEnv): ClientCommand {
  const given = readFlags(args);
  const find = (flag: Flag) =>
    given.get(flag) ?? (env[`K8SAUTH_CLIENT_${flag.slice(2).replaceAll("-", "_").toUpperCase()}`] || undefined);
  const need = (flag: Flag) => {
    const value = find(flag);
    if (value === undefined) throw new ClientError("CLIENT_CONFIG", `${flag} is required: ${flags[flag]}`);
    return value;
  };
  const number = (flag: Flag, standard: string, min: number, max: number) => {
    const value = Number(find(flag) ?? standard);
    if (value >= min && value <= max) return value;
    throw new ClientError("CLIENT_CONFIG", `${flag}: expected a number from ${min} to ${max}.`);
  };
  const attempts = number("--attempts", "4", 1, 100);
  if (!Number.isInteger(attempts)) throw new ClientError("CLIENT_CONFIG", "--attempts: expected a whole number.");
  return {
    url: need("--url"),
    tokenFile: need("--token-file"),
    caFile: find("--ca-file"),
    intervalSeconds: find("--interval") === undefined ? undefined : number("--interval", "", 0.01, 86_400),
    timeoutSeconds: number("--timeout", "5", 0.01, 600),
    attempts,
    showBody: find("--show-body") === "yes",
  };
}

function readFlags(args: readonly string[]): ReadonlyMap<Flag, string> {
  const given = new Map<Flag, string>();
  for (let at = 0; at < args.length; at++) {
    const [flag = "", ...rest] = (args[at] as string).split("=");
    if (!Object.hasOwn(flags, flag))
      throw new ClientError("CLIENT_CONFIG", `There is no flag ${JSON.stringify(flag)}. --help lists all flags.`);
    const value = rest.length > 0 ? rest.join("=") : args[++at];
    if (value === undefined || value === "") throw new ClientError("CLIENT_CONFIG", `${flag} needs a value.`);
    if (given.has(flag as Flag)) throw new ClientError("CLIENT_CONFIG", `${flag} is given more than once.`);
    given.set(flag as Flag, value);
  }
  return given;
}
