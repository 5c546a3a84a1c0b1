import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Changes, cacheFolder } from "../../engine/index.ts";
import { type StackDriver, type StackFacts, StackFailure, stopGrace, type Task, type Watch } from "./driver.ts";

/** What a worker is told: once its task, and perhaps to stop. */
export type ToWorker =
  | {
      readonly kind: "task";
      readonly engine: StackDriver["engine"];
      readonly secretsProvider?: string;
      readonly task: Task;
    }
  | { readonly kind: "stop" };

/** What a worker tells. */
export type FromWorker =
  | { readonly kind: "progress"; readonly text: string }
  | { readonly kind: "log"; readonly line: string }
  | { readonly kind: "done"; readonly changes: Changes }
  | { readonly kind: "failed"; readonly message: string; readonly code?: string };

export interface IsolationOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly secretsProvider?: string;
  /** As {@link stopGrace}. */
  readonly grace?: number;
}

/**
 * A process for each operation of another driver, so that no stack can disturb another one, memory is given back when it is
 * done, and a hung one can be killed. It ends by itself, with its state saved, when the fleet's own process is gone.
 */
export class IsolatedDriver implements StackDriver {
  readonly engine: StackDriver["engine"];
  readonly #inner: StackDriver;
  readonly #options: IsolationOptions;

  constructor(inner: StackDriver, options: IsolationOptions) {
    this.engine = inner.engine;
    this.#inner = inner;
    this.#options = options;
  }

  async run(task: Task, watch: Watch): Promise<Changes> {
    watch.signal.throwIfAborted();
    const { secretsProvider, grace = stopGrace } = this.#options;
    const env = { NODE_COMPILE_CACHE: join(cacheFolder(this.#options.env), "compile"), ...this.#options.env };
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
    using _stop = stopping(worker, watch.signal, grace);
    const closed = once(worker, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    tell(worker, { kind: "task", engine: this.engine, task, ...(secretsProvider && { secretsProvider }) });
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

  facts(task: Omit<Task, "operation">): Promise<StackFacts | undefined> {
    return this.#inner.facts(task);
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
