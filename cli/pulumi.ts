import { type StdioOptions, spawn } from "node:child_process";
import { constants } from "node:os";
import { progressPrinter } from "../sandbox/index.ts";
import { ensurePulumi, oldestVersion, type Pulumi } from "../sandbox/pulumi/index.ts";
import { TemporaryFolder } from "../sandbox/pulumi/temporary.ts";
import type { Command, Io } from "./command.ts";

/** Variables that a shell needs to run the CLI as `k8sauth pulumi` does. */
const exported = [
  "PATH",
  "PULUMI_HOME",
  "PULUMI_BACKEND_URL",
  "PULUMI_CONFIG_PASSPHRASE_FILE",
  "PULUMI_SKIP_UPDATE_CHECK",
  "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
  "NODE_COMPILE_CACHE",
] as const;

export const pulumiCommand: Command = {
  help: `Run the Pulumi CLI. \`pulumi\` on the PATH is used if it is ${oldestVersion} or later;
otherwise the CLI and its plugins are built from Go modules on first use
(minutes; needs Go 1.26).

Usage: k8sauth pulumi ARGUMENTS...
       k8sauth pulumi --print-env

All arguments go to Pulumi, and its exit status comes back. \`k8sauth pulumi
--help\` is Pulumi's own help.

  --print-env   Print the environment as lines for a POSIX shell:
                eval "$(npx --no k8sauth pulumi --print-env)"

Environment
  K8SAUTH_PULUMI=build   Build the CLI even if \`pulumi\` is on the PATH.
  PULUMI_BACKEND_URL     Where stacks are kept.
                         Default: files in ~/.local/state/k8sauth.
  PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE
                         Passphrase of the stacks' secrets. Default: a generated
                         one in ~/.local/state/k8sauth/passphrase.

The CLI's home (logins, plugins, logs) is a folder below
~/.local/state/k8sauth/pulumi. ~/.pulumi is never touched.

Examples
  k8sauth pulumi preview --stack sandbox
  k8sauth pulumi stack output authConfigs --stack sandbox --show-secrets --json
  k8sauth pulumi destroy --stack sandbox
`,
  ownHelp: false,
  async run(args, io) {
    const pulumi = await preparePulumi(io);
    if (args[0] === "--print-env") {
      io.out(exported.map((name) => exportLine(name, pulumi.env[name])).join(""));
      return 0;
    }
    const status = await runPulumi(pulumi, args, io);
    if (status === 0) io.err(passphraseNotice(args, pulumi.env, io.env));
    return status;
  },
};

/** Where the passphrase of a new stack is, if it is the generated one. The stack cannot be decrypted without the file. */
export function passphraseNotice(args: readonly string[], used: NodeJS.ProcessEnv, given: NodeJS.ProcessEnv): string {
  const file = used.PULUMI_CONFIG_PASSPHRASE_FILE;
  const creates = args[0] === "new" || (args[0] === "stack" && args[1] === "init");
  const otherProvider = args.some((arg) => arg.startsWith("--secrets-provider"));
  // Pulumi Cloud encrypts secrets itself.
  const cloud = used.PULUMI_BACKEND_URL?.startsWith("http");
  if (!creates || otherProvider || cloud || file === undefined || file === given.PULUMI_CONFIG_PASSPHRASE_FILE)
    return "";
  return `The stack's secrets are encrypted with the generated passphrase in ${file}. Keep a copy of this file: without it, no machine can decrypt them.\n`;
}

function exportLine(name: string, value: string | undefined): string {
  return value === undefined ? "" : `export ${name}='${value.replaceAll("'", "'\\''")}'\n`;
}

/** Finds or builds the CLI, with its progress on standard error. @param step the number of the caller's step, for the lines of progress */
export async function preparePulumi(io: Io, step?: string): Promise<Pulumi> {
  const prefix = step === undefined ? "" : `${step}  `;
  const printer = progressPrinter(io.err, io.tty, { prefix, columns: io.terminal?.columns });
  // The terminal may show a progress line, which the notice replaces.
  const onNotice = (line: string) => io.err(`${io.tty ? "\r\u001b[K" : ""}${line}\n`);
  const options = { env: io.env, signal: io.signal, onProgress: printer.onProgress, onNotice };
  return ensurePulumi(options).finally(() => printer.finish());
}

/**
 * Runs a command of the CLI and returns its exit status, or 128 plus the number of the signal that ended it.
 *
 * @param onOutput receives standard output and standard error of the CLI. @default the CLI writes to those of this process
 */
export async function runPulumi(
  pulumi: Pulumi,
  args: readonly string[],
  io: Io,
  onOutput?: (text: string) => void,
): Promise<number> {
  using temporary = TemporaryFolder.create(pulumi.env.PULUMI_HOME);
  const env = { ...pulumi.env, TMPDIR: temporary.path };
  const stdio: StdioOptions = onOutput ? ["inherit", "pipe", "pipe"] : "inherit";
  const child = spawn(pulumi.command, args, { env, stdio });
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => onOutput?.(text));
  temporary.keepFor(child.pid);
  // A terminal sends Ctrl-C to both processes; a second SIGINT would make Pulumi stop without its clean-up.
  const interrupt = () => {
    const { cause } = io.signal.reason as Error;
    if (!process.stdin.isTTY || cause === "SIGTERM") child.kill("SIGINT");
  };
  io.signal.addEventListener("abort", interrupt, { once: true });
  // A second signal ends this process. Pulumi then gets a second SIGINT too, and stops at once.
  const interruptAgain = () => child.kill("SIGINT");
  process.once("exit", interruptAgain);
  return await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      io.signal.removeEventListener("abort", interrupt);
      process.removeListener("exit", interruptAgain);
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0));
    });
  });
}

export interface ReadOptions {
  /** Standard input. Secrets are passed there, because other users can read the arguments of a process. */
  readonly input?: string;
}

/**
 * Runs a command of the CLI and returns its standard output.
 *
 * @throws Error with exit status and standard error of the CLI
 */
export async function readPulumi(pulumi: Pulumi, args: readonly string[], options: ReadOptions = {}): Promise<string> {
  using temporary = TemporaryFolder.create(pulumi.env.PULUMI_HOME);
  const child = spawn(pulumi.command, [...args, "--non-interactive", "--color", "never"], {
    env: { ...pulumi.env, TMPDIR: temporary.path },
    stdio: ["pipe", "pipe", "pipe"],
  });
  temporary.keepFor(child.pid);
  child.stdin.on("error", () => {}); // The CLI may exit without reading its input.
  child.stdin.end(options.input ?? "");
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return await new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) return resolve(stdout);
      const said = stderr.trim().replace(/^error: /, "");
      reject(new Error(`pulumi ${args.slice(0, 2).join(" ")} failed (exit status ${code}): ${said}`));
    });
  });
}
