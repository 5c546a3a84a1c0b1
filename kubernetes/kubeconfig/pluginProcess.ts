import { ProcessTree } from "./processTree.ts";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** Limits of a program. */
export interface Limits {
  /** Timeout of a program that writes nothing to its standard error, in milliseconds. @default 30000 */
  readonly silentMs?: number;
  /** Timeout of a program that writes to its standard error and may wait for a login, in milliseconds. @default 300000 */
  readonly speakingMs?: number;
  /** Limit of concurrent processes, on Linux. @default 32 */
  readonly processes?: number;
}

/** Result of a program. */
export interface ProcessResult {
  readonly stdout: string;
  /** The last 8192 characters. */
  readonly stderr: string;
  /** Why it ended: by itself, or by a limit or `signal`. */
  readonly why: "exit" | "timeout" | "aborted" | "processes" | "output";
  /** Exit status or signal. Undefined if a limit or `signal` ended the program. */
  readonly status: number | NodeJS.Signals | undefined;
  /** The limit that was reached: milliseconds, processes, or characters of output. */
  readonly limit: number;
}

const defaults = { silentMs: 30_000, speakingMs: 300_000, processes: 32 } as const;

/** For how long another process may keep the pipes open after the program's exit, in milliseconds. */
const pipesMs = 500;
/** Interval of the counts of processes, in milliseconds. */
const countMs = 250;
/** Time after which a line without a line break is passed on, since it may be a prompt, in milliseconds. */
const promptMs = 300;
/** In characters. */
const maxOutput = 1 << 20;
const maxStderr = 8 << 10;

/**
 * Runs a program with closed standard input. Kills it and its descendants when a limit is reached, when `signal` aborts, and when this process
 * ends. After the program's exit, its background processes stay, unless they keep its output open.
 *
 * @param onLine receives each line of the standard error while the program runs
 * @throws the system's error if the program cannot be started
 */
export function runProgram(
  program: Program,
  onLine: (line: string) => void,
  signal: AbortSignal,
  limits: Limits = {},
): Promise<ProcessResult> {
  const { silentMs, speakingMs, processes } = { ...defaults, ...limits };
  const { promise, resolve, reject } = Promise.withResolvers<ProcessResult>();
  const tree = new ProcessTree();
  const child = tree.spawn(program.command, program.args, program.env);
  const lines = new Lines(onLine);
  let stdout = "";
  let stderr = "";
  let limit: number = silentMs;
  let over = false;

  const clean = () => {
    over = true;
    clearTimeout(timer);
    clearTimeout(pipes);
    clearInterval(counter);
    signal.removeEventListener("abort", abort);
    lines.end();
  };
  const finish = (why: ProcessResult["why"], status?: ProcessResult["status"], reached = limit) => {
    if (over) return;
    clean();
    if (why === "exit" && pipes === undefined) tree.release();
    else tree.end();
    child.stdout.destroy();
    child.stderr.destroy();
    child.unref();
    resolve({ stdout, stderr, why, status, limit: reached });
  };
  const abort = () => finish("aborted");
  let timer = setTimeout(() => finish("timeout"), silentMs);
  let pipes: NodeJS.Timeout | undefined;
  const counter = setInterval(() => {
    if (tree.size() > processes) finish("processes", undefined, processes);
  }, countMs);

  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (stdout.length > maxOutput) finish("output", undefined, maxOutput);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    if (stderr === "") {
      clearTimeout(timer);
      limit = Math.max(silentMs, speakingMs);
      timer = setTimeout(() => finish("timeout"), limit);
    }
    stderr = (stderr + text).slice(-maxStderr);
    lines.add(text);
  });
  child.once("error", (error) => {
    clean();
    tree.end();
    reject(error);
  });
  child.once("exit", (code, by) => {
    pipes = setTimeout(() => finish("exit", code ?? by ?? undefined), pipesMs);
    child.once("close", () => {
      clearTimeout(pipes);
      pipes = undefined;
      finish("exit", code ?? by ?? undefined);
    });
  });
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return promise;
}

/** Splits a stream into lines. Blank lines are left out. */
class Lines {
  readonly #onLine: (line: string) => void;
  #rest = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  add(text: string): void {
    clearTimeout(this.#timer);
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
    if (this.#rest.length > maxStderr) this.end();
    else if (this.#rest !== "") this.#timer = setTimeout(() => this.end(), promptMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    if (line.trim() !== "") this.#onLine(line.trimEnd());
  }
}
