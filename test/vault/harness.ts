/** Vault's own Kubernetes auth method as a process: built from Go modules on first use, and kept in the user's cache folder. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { cacheKey, readSources } from "../../sandbox/build.ts";
import { runGo } from "../../sandbox/go.ts";
import { withLock } from "../../sandbox/lock.ts";
import { cacheRoot } from "../../sandbox/paths.ts";

const sources = fileURLToPath(new URL(".", import.meta.url)).replace(/\/$/, "");

/** Path of the binary; several callers at once build once. */
async function ensureBinary(): Promise<string> {
  const go = { cwd: sources, env: process.env };
  const { stdout: version } = await runGo(["env", "GOVERSION", "GOOS", "GOARCH"], go);
  const root = join(dirname(cacheRoot(process.env)), "vault-auth");
  const binary = join(root, cacheKey(readSources(sources), version.trim()));
  mkdirSync(root, { recursive: true });
  const lock = { timeoutMs: 1_200_000, what: "Building Vault's auth method", onWait: () => {} };
  await withLock(join(root, "build.lock"), lock, async () => {
    if (existsSync(binary)) return;
    const output = `${binary}.new`;
    try {
      await runGo(
        ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", output, "."],
        go,
      );
      renameSync(output, binary);
    } finally {
      rmSync(output, { force: true });
    }
  });
  return binary;
}

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

  static async start(): Promise<VaultAuth> {
    return new VaultAuth(spawn(await ensureBinary(), [], { stdio: ["pipe", "pipe", "inherit"] }));
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
