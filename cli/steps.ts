import type { Io } from "./command.ts";
import { paint } from "./table.ts";

/** Shows the steps of a long command. Each step has a line with its duration once it has ended. A terminal also shows the running step. */
export class Steps {
  readonly #io: Io;
  readonly #total: number;
  readonly #now: () => number;
  #number = 0;

  /** @param now a monotonic clock, in milliseconds */
  constructor(io: Io, total: number, now: () => number = () => performance.now()) {
    this.#io = io;
    this.#total = total;
    this.#now = now;
  }

  /**
   * Runs a step.
   *
   * @param work gets the number of the step, as "2/5", for its own lines of progress
   * @param describe its result in a few words, for the line of the step
   */
  async run<T>(title: string, work: (number: string) => Promise<T>, describe: (result: T) => string): Promise<T> {
    const { out, err, tty, terminal, signal } = this.#io;
    const number = `${++this.#number}/${this.#total}`;
    const label = `${number}  ${paint(terminal, "bold", title.padEnd(8))}`;
    const start = this.#now();
    const line = (text: string) => {
      this.clear();
      out(`${label}  ${duration(this.#now() - start).padStart(9)}  ${text}\n`);
    };
    if (tty) err(`${number}  ${title} …`);
    try {
      const result = await work(number);
      line(describe(result));
      return result;
    } catch (error) {
      line(paint(terminal, "red", signal.aborted ? "cancelled" : "failed"));
      throw error;
    }
  }

  /** Clears the line of the running step, so that another program may use the terminal. */
  clear(): void {
    if (this.#io.tty) this.#io.err("\r\u001b[K");
  }
}

/** A time as "0.4 s" or "3 min 20 s". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
