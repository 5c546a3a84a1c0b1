import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { program, type TestStack } from "./stack.ts";

/** A process of a run, as /proc tells of it. */
export interface RunProcess {
  readonly pid: number;
  readonly role: "engine" | "program" | "plugin";
  readonly commandLine: string;
}

/** `k8sauth` as a process of its own, the way that users run it, with everything that it prints. */
export class EngineProcess {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<unknown>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv, wrap: readonly string[] = []) {
    const [command = "", ...rest] = [...wrap, process.execPath, join(program, "cli", "main.ts"), ...args];
    this.child = spawn(command, rest, { env, stdio: ["ignore", "pipe", "pipe"], cwd: program });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.#ended = once(this.child, "close");
  }

  /** An operation on a stack: `up`, `destroy`, … */
  static run(stack: TestStack, operation: string, more: readonly string[] = [], wrap: readonly string[] = []) {
    const args = [operation, "--stack", stack.name, "--cwd", program, "--config-file", stack.configFile, ...more];
    return new EngineProcess(args, stack.env, wrap);
  }

  /** The exit status; null after a signal. */
  async end(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }

  /** The engine and its children, as far as they run. */
  processes(): RunProcess[] {
    const engine = this.child.pid ?? 0;
    const children = runningProcesses().filter(({ parent }) => parent === engine);
    return [{ pid: engine, parent: 0, commandLine: commandLineOf(engine) }, ...children].flatMap(
      ({ pid, commandLine }): RunProcess[] => {
        if (commandLine === "") return [];
        if (pid === engine) return [{ pid, role: "engine", commandLine }];
        return [{ pid, role: commandLine.includes("cmd/run") ? "program" : "plugin", commandLine }];
      },
    );
  }

  /** Kills processes of this run with SIGKILL, all of them if no role is given. */
  kill(role?: RunProcess["role"]): void {
    for (const { pid, role: found } of this.processes()) if (role === undefined || role === found) killNow(pid);
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** Command lines of the processes whose environment names this stack's own state folder: none may outlive a run. */
export function leftOf(stack: Pick<TestStack, "env">): string[] {
  return processesOf(stack).map(({ commandLine }) => commandLine);
}

/** The processes whose environment names a stack's own state folder. */
export function processesOf({ env }: Pick<TestStack, "env">) {
  return runningProcesses().filter(
    ({ pid }) => pid !== process.pid && environmentOf(pid).includes(`PULUMI_BACKEND_URL=${env.PULUMI_BACKEND_URL}\0`),
  );
}

function runningProcesses() {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ({ pid: Number(entry), parent: parentOf(entry), commandLine: commandLineOf(Number(entry)) }));
}

function parentOf(pid: string): number {
  return attempt(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  }, 0);
}

function commandLineOf(pid: number): string {
  return attempt(() => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim(), "");
}

function environmentOf(pid: number): string {
  return attempt(() => (readlinkSync(`/proc/${pid}/exe`) ? readFileSync(`/proc/${pid}/environ`, "utf8") : ""), "");
}

function attempt<T>(read: () => T, instead: T): T {
  try {
    return read();
  } catch {
    return instead;
  }
}
