import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";

/** A process of a run, from /proc. */
export interface RunProcess {
  readonly pid: number;
  readonly role: "engine" | "language host" | "program" | "plugin";
  readonly commandLine: string;
}

/** A command of the Pulumi CLI as a process, the way that users run it, with everything that it prints. */
export class PulumiProcess {
  readonly child: ChildProcess;
  stdout = "";
  /** Both streams. */
  output = "";
  readonly #ended: Promise<unknown>;

  constructor(
    command: string,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    { wrap = [], signal }: { readonly wrap?: readonly string[]; readonly signal?: AbortSignal } = {},
  ) {
    const [first = "", ...rest] = [...wrap, command, ...args];
    this.child = spawn(first, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.output += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    const interrupt = () => this.child.kill("SIGINT");
    if (signal?.aborted) interrupt();
    signal?.addEventListener("abort", interrupt, { once: true });
    this.#ended = once(this.child, "close").finally(() => signal?.removeEventListener("abort", interrupt));
  }

  /** The exit status; null after a signal. */
  async end(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }

  /** The engine and its descendants that run. */
  processes(): RunProcess[] {
    const engine = this.child.pid ?? 0;
    const all = runningProcesses();
    const descendants = (pid: number): typeof all =>
      all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...descendants(child.pid)]);
    const own = all.filter(({ pid }) => pid === engine);
    return [...own, ...descendants(engine)].map(({ pid, commandLine }) => ({
      pid,
      commandLine,
      role: pid === engine ? "engine" : roleOf(commandLine),
    }));
  }

  /** Kills processes of this run with SIGKILL, all of them if no role is given. */
  kill(role?: RunProcess["role"]): void {
    for (const { pid, role: found } of this.processes()) if (role === undefined || role === found) killNow(pid);
  }
}

function roleOf(commandLine: string): RunProcess["role"] {
  if (commandLine.includes("pulumi-language-")) return "language host";
  return commandLine.includes("cmd/run") ? "program" : "plugin";
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Command lines of the processes whose environment names the stack's state folder. None may outlive a run. */
export function leftOf(stack: { readonly env: NodeJS.ProcessEnv }): string[] {
  return processesOf(stack).map(({ commandLine }) => commandLine);
}

/** The processes whose environment names the stack's state folder. */
export function processesOf({ env }: { readonly env: NodeJS.ProcessEnv }) {
  return runningProcesses().filter(
    ({ pid }) => pid !== process.pid && environmentOf(pid).includes(`PULUMI_BACKEND_URL=${env.PULUMI_BACKEND_URL}\0`),
  );
}

function runningProcesses() {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ({ pid: Number(entry), parent: parentOf(entry), commandLine: commandLineOf(entry) }))
    .filter(({ commandLine }) => commandLine !== "");
}

function parentOf(pid: string): number {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  }, 0);
}

/** Empty for a process that has ended. */
function commandLineOf(pid: string): string {
  return attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim(), "");
}

/** The environment of a process, variables ended by `\0`; empty for one that has ended. */
export function environmentOf(pid: number): string {
  return attempt(() => readFileSync(`/proc/${pid}/environ`, "utf8"), "");
}

function attempt<T>(read: () => T, instead: T): T {
  try {
    return read();
  } catch {
    return instead;
  }
}
