import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Changes, cacheFolder, openStack, type Properties } from "../../engine/index.ts";
import {
  publicFacts,
  type StackDriver,
  type StackFacts,
  StackFailure,
  stopGrace,
  type Task,
  type Watch,
} from "./driver.ts";

/** What a worker is told: once its task, and perhaps to stop. */
export type ToWorker = { readonly kind: "task"; readonly task: Task } | { readonly kind: "stop" };

/** What a worker tells. */
export type FromWorker =
  | { readonly kind: "progress"; readonly text: string }
  | { readonly kind: "log"; readonly line: string }
  | { readonly kind: "done"; readonly changes: Changes }
  | { readonly kind: "failed"; readonly message: string; readonly code?: string };

const stackType = "pulumi:pulumi:Stack";

/**
 * The embedded engine: a process for each stack, so that none can disturb another, its memory is given back when it is
 * done, and a hung one can be killed. It ends by itself, with its state saved, when the fleet's own process is gone.
 */
export class EmbeddedDriver implements StackDriver {
  readonly engine = "embedded";
  readonly #env: NodeJS.ProcessEnv;
  readonly #grace: number;

  constructor(env: NodeJS.ProcessEnv, grace = stopGrace) {
    this.#env = env;
    this.#grace = grace;
  }

  async run(task: Task, watch: Watch): Promise<Changes> {
    watch.signal.throwIfAborted();
    const env = { NODE_COMPILE_CACHE: join(cacheFolder(this.#env), "compile"), ...this.#env };
    // A process group of its own: Ctrl-C reaches the fleet alone, which then tells each worker to stop.
    const worker = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [], {
      execArgv: [],
      env,
      detached: true,
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let last: FromWorker | undefined;
    let stderr = "";
    worker.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-2_000);
    });
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "progress") watch.progress(message.text);
      else if (message.kind === "log") watch.log(message.line);
      else last = message;
    });
    using _stop = stopping(worker, watch.signal, this.#grace);
    const closed = once(worker, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    tell(worker, { kind: "task", task });
    const [status, signal] = await closed.catch((error: Error) => {
      throw new StackFailure(`The stack's process could not be started: ${error.message}`);
    });
    if (last?.kind === "done") return last.changes;
    if (last?.kind === "failed") throw new StackFailure(last.message, last.code);
    for (const line of stderr.split("\n")) if (line.trim()) watch.log(line);
    throw new StackFailure(
      `The stack's process ended without a word (${signal ?? `exit status ${status}`}). Its state is safe: run it again.`,
    );
  }

  async facts({ program, cluster, settingsFile }: Omit<Task, "operation">): Promise<StackFacts | undefined> {
    const { stack } = cluster;
    const options = { folder: program, stack, configFile: settingsFile, env: this.#env, emit: () => {} };
    const { checkpoint } = await openStack(options);
    if (!checkpoint) return undefined;
    // Ciphertexts are left as they are: what may be shown needs no key.
    const root = checkpoint.deployment.resources?.find(({ type }) => type === stackType);
    return publicFacts((root?.outputs ?? {}) as Properties);
  }
}

/** Tells a worker to stop when the signal aborts, and kills it with all its children when it does not. */
function stopping(worker: ChildProcess, signal: AbortSignal, grace: number): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    tell(worker, { kind: "stop" });
    timer = setTimeout(() => killGroup(worker), grace);
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  return {
    [Symbol.dispose]: () => {
      signal.removeEventListener("abort", stop);
      clearTimeout(timer);
    },
  };
}

function tell(worker: ChildProcess, message: ToWorker): void {
  // A worker that has ended hears nothing, which is what was wanted.
  if (worker.connected) worker.send(message, () => {});
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
