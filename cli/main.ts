import { enableCompileCache } from "node:module";
import { isAbsolute, join } from "node:path";
import type { Command, Io } from "./command.ts";
import { isUsageError } from "./usage.ts";

/** Commands by name; each is loaded only when it runs. */
const commands: Readonly<Record<string, { summary: string; load: () => Promise<Command> }>> = {
  start: {
    summary: "Show everything: a sandbox cluster, the stack in it, its outputs, and the proof that they work",
    load: async () => (await import("./start.ts")).startCommand,
  },
  up: {
    summary: "Make the cluster what the program says",
    load: async () => (await import("./up.ts")).upCommand,
  },
  preview: {
    summary: "Show what `up` would change",
    load: async () => (await import("./up.ts")).previewCommand,
  },
  refresh: {
    summary: "Read what the cluster really has into the state",
    load: async () => (await import("./refresh.ts")).refreshCommand,
  },
  destroy: {
    summary: "Delete everything that the stack made",
    load: async () => (await import("./destroy.ts")).destroyCommand,
  },
  output: {
    summary: "Print the stack's outputs",
    load: async () => (await import("./output.ts")).outputCommand,
  },
  config: {
    summary: "Show and change the stack's settings",
    load: async () => (await import("./config.ts")).configCommand,
  },
  stack: {
    summary: "List, export, import and remove stacks: how one moves to another place",
    load: async () => (await import("./stackCommand.ts")).stackCommand,
  },
  check: {
    summary: "Prove every credential of the stack by real calls",
    load: async () => (await import("./check.ts")).checkCommand,
  },
  sandbox: {
    summary: "Start and stop a throw-away Kubernetes on this machine",
    load: async () => (await import("./sandbox.ts")).sandboxCommand,
  },
};

const help = `k8sauth: Kubernetes identities for authentication gateways

Usage: k8sauth COMMAND [OPTIONS]

Commands:
${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`)
  .join("\n")}

k8sauth COMMAND --help tells more. Exit status: 0 done, 1 failed, 2 wrong usage, 7 changes under
--expect-no-changes, 130 interrupted.
`;

/** Runs one command line; answers the exit status. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [name = "--help", ...args] = argv;
  if (name === "--help" || name === "-h" || name === "help") {
    io.out(help);
    return 0;
  }
  const entry = commands[name];
  if (!entry) {
    io.err(`k8sauth: there is no command "${name}". Commands: ${Object.keys(commands).join(", ")}.\n`);
    return 2;
  }
  const command = await entry.load();
  const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  if (own.includes("--help") || own.includes("-h")) {
    io.out(command.help);
    return 0;
  }
  try {
    return await command.run(args, io);
  } catch (error) {
    if (isUsageError(error)) {
      io.err(`k8sauth ${name}: ${error.message}\nk8sauth ${name} --help tells more.\n`);
      return 2;
    }
    const message = error instanceof Error ? error.message : String(error);
    const code = (error as { code?: unknown }).code;
    io.err(`error: ${message}${typeof code === "string" ? ` (${code})` : ""}\n`);
    return io.signal.aborted ? 130 : 1;
  }
}

/** Io of this process: Ctrl-C and SIGTERM abort it, a second Ctrl-C ends it at once. */
function processIo(): Io {
  const controller = new AbortController();
  const abort = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error("Interrupted."));
  };
  process.on("SIGINT", abort);
  process.on("SIGTERM", abort);
  return {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    tty: process.stderr.isTTY === true && !process.env.NO_COLOR,
    env: process.env,
    signal: controller.signal,
  };
}

const cache = process.env.XDG_CACHE_HOME || (process.env.HOME && join(process.env.HOME, ".cache"));
// Nobody else may write there: what is in it is run.
if (cache && isAbsolute(cache)) enableCompileCache(join(cache, "k8sauth", "compile"));
process.exitCode = await main(process.argv.slice(2), processIo());
