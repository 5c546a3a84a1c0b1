import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { hasEnded } from "../childProcess.ts";

/** A process that answers each line of JSON with one line of JSON, in the order of the questions. */
export class LineProcess implements AsyncDisposable {
  readonly #name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, binary: string, args: readonly string[] = [], cwd?: string) {
    this.#name = name;
    this.#child = spawn(binary, args, { cwd, stdio: ["pipe", "pipe", "inherit"] });
    // After the exit of the process, `ask` fails because no answer comes. The error of the pipe adds nothing.
    this.#child.stdin.on("error", () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Sends a question; returns its answer. @throws Error if the process ends */
  ask<T>(question: object): Promise<T> {
    const answer = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.#name} ended`);
      return JSON.parse(value) as T;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (!hasEnded(this.#child)) await once(this.#child, "exit");
  }
}
