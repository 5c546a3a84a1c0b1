import { enableCompileCache } from "node:module";
import { isAbsolute, join } from "node:path";
import type { WriteStream } from "node:tty";
import type { Command, Io, Terminal } from "./command.ts";
import { UsageError } from "./usage.ts";

/** Commands by name; each is loaded only when it runs. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  start: {
    summary: "Show everything: a sandbox, the stack in it, proofs that it works",
    load: async () => (await import("./start.ts")).startCommand,
  },
  check: {
    summary: "Prove every credential of the stack by real calls",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  sandbox: {
    summary: "Start and stop a throw-away Kubernetes on this machine",
    load: async () => (await import("./sandbox.ts")).sandboxCommand,
  },
  doctor: {
    summary: "Examine this machine and a cluster before the first run",
    load: async () => (await import("./doctor.ts")).doctorCommand,
  },
  pulumi: {
    summary: "Run the Pulumi CLI: the one on the PATH, or one built here",
    load: async () => (await import("./pulumi.ts")).pulumiCommand,
  },
};

const help = `k8sauth: Kubernetes identities for authentication gateways

Usage: k8sauth COMMAND [OPTIONS]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`)
  .join("\n")}

k8sauth help COMMAND has details. Exit status: 0 done, 1 failed, 2 wrong usage,
130 interrupted; with pulumi, Pulumi's own.

up, preview, refresh, destroy, config and stack output are commands of Pulumi:
k8sauth pulumi up, or pulumi up where Pulumi is installed.

Examples:
  k8sauth start                       try everything in a sandbox
  k8sauth doctor --context prod       examine this machine and a cluster
  k8sauth pulumi up --stack prod      provision a stack
  k8sauth check --stack prod          prove its credentials again
`;

/** Runs one command line; returns the exit status. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [first = "--help", ...rest] = argv;
  const asksForHelp = first === "--help" || first === "-h" || first === "help";
  const [name, ...args] = asksForHelp ? rest : [first, ...rest];
  if (name === undefined) {
    io.out(help);
    return 0;
  }
  const entry = commands[name];
  if (!entry) {
    io.err(`k8sauth: there is no command "${name}". Commands: ${Object.keys(commands).join(", ")}.\n`);
    return 2;
  }
  const command = await entry.load();
  // Arguments after "--" belong to another program.
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  const inArguments = command.ownHelp !== false && (flags.includes("--help") || flags.includes("-h"));
  if (asksForHelp || inArguments) {
    io.out(command.help);
    return 0;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.err(`k8sauth ${name}: ${error.message}\nFor details: npx --no k8sauth help ${name}\n`);
      return 2;
    }
    if (io.signal.aborted) {
      io.err("Interrupted. Run the command again to continue.\n");
      return 130;
    }
    const message = error instanceof Error ? error.message : String(error);
    const code = (error as { code?: unknown }).code;
    io.err(`error: ${message}${typeof code === "string" ? ` (${code})` : ""}\n`);
    return 1;
  }
}

/** Input and output of this process. The first SIGINT or SIGTERM aborts `signal`; a second one ends the process at once. */
function processIo(): Io {
  const controller = new AbortController();
  const abort = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error("Interrupted.", { cause: signal }));
  };
  process.on("SIGINT", abort);
  process.on("SIGTERM", abort);
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    tty: process.stderr.isTTY === true && !process.env.NO_COLOR,
    ...(process.stdout.isTTY && { terminal: terminalOf(process.stdout) }),
    env: process.env,
    signal: controller.signal,
  };
}

/** `hasColors` reads NO_COLOR, NODE_DISABLE_COLORS, FORCE_COLOR and TERM. */
function terminalOf(stream: WriteStream): Terminal {
  return { columns: stream.columns || 80, colors: stream.hasColors() };
}

const cache = process.env.XDG_CACHE_HOME || (process.env.HOME && join(process.env.HOME, ".cache"));
// Node.js executes the cached code. A relative path could lead to a folder that other users can write to.
if (cache && isAbsolute(cache)) enableCompileCache(join(cache, "k8sauth", "compile"));
process.exitCode = await main(process.argv.slice(2), processIo());
