/** A test tool: Vault's own Kubernetes auth method as a process of its own, with its storage in memory. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { type BuildOptions, ensureProgram, vaultProgram } from "../../build.ts";

/** Vault's answer, as far as tests look at it. */
export interface VaultAnswer {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly policies?: readonly string[];
  readonly warnings?: readonly string[];
  /** What Vault would answer with a status of 400 or above. */
  readonly error?: string;
}

/** One mount of the auth method, empty at first. */
export class VaultAuth implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  /** Answers come in the order of the questions. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Built from Go modules on first use, as the sandbox is. @throws SandboxError */
  static async start(options: BuildOptions = {}): Promise<VaultAuth> {
    return new VaultAuth(spawn(await ensureProgram(vaultProgram, options), [], { stdio: ["pipe", "pipe", "inherit"] }));
  }

  /** `vault write auth/kubernetes/PATH`. */
  write(path: string, data: object): Promise<VaultAnswer> {
    return this.#ask({ operation: path.startsWith("role/") ? "create" : "update", path, data });
  }

  /** `vault read auth/kubernetes/PATH`. */
  read(path: string): Promise<VaultAnswer> {
    return this.#ask({ operation: "read", path });
  }

  login(role: string, jwt: string): Promise<VaultAnswer> {
    return this.write("login", { role, jwt });
  }

  #ask(request: object): Promise<VaultAnswer> {
    const answer = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await this.#lines.next();
      if (done) throw new Error("Vault's auth method ended");
      return JSON.parse(value) as VaultAnswer;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}
