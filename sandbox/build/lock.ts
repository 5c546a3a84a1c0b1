import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "./errors.ts";
import { storageError } from "./paths.ts";
import { identify, isAlive, type ProcessIdentity } from "./process.ts";

export interface LockOptions {
  /** Time to wait for a holder that runs, in milliseconds. */
  readonly timeoutMs: number;
  /** Name of the protected work, for errors. */
  readonly what: string;
  readonly signal?: AbortSignal;
  /** Called repeatedly while another process holds the lock. */
  readonly onWait?: (holder: ProcessIdentity) => void;
}

/**
 * Runs `work` while it holds the lock file at `path`. The file contains pid and start time of its holder. The lock of a process that has
 * ended, even by SIGKILL, is taken over.
 *
 * @throws SandboxError SANDBOX_BUSY if the holder still runs after the timeout, SANDBOX_ABORTED
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const content = JSON.stringify({ ...identify(process.pid), nonce: randomBytes(8).toString("hex") });
  const deadline = Date.now() + options.timeoutMs;
  while (!tryLock(path, content)) {
    const holder = readHolder(path);
    if (holder && !isAlive(holder)) {
      breakLock(path, holder);
      continue;
    }
    if (Date.now() > deadline) {
      throw new SandboxError(
        "SANDBOX_BUSY",
        `${options.what}: another process${holder ? ` (pid ${holder.pid})` : ""} has held the lock file ${path} for ${Math.round(options.timeoutMs / 1000)} s. Wait for that process or end it, then try again.`,
      );
    }
    if (options.signal?.aborted) throw new SandboxError("SANDBOX_ABORTED", `${options.what} was cancelled.`);
    if (holder) options.onWait?.(holder);
    await delay(holder ? 100 : 10);
  }
  try {
    return await work();
  } finally {
    if (readText(path) === content) rmSync(path, { force: true });
  }
}

/** Creates the file with its content atomically: a link to a complete file, which fails if the name exists. */
function tryLock(path: string, content: string): boolean {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    writeFileSync(draft, content, { mode: 0o600 });
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw storageError("Writing a lock file", path, error);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes the lock of a process that has ended. Restores it if another process has taken the lock over meanwhile. */
function breakLock(path: string, ended: ProcessIdentity): void {
  const moved = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.dead`;
  try {
    renameSync(path, moved);
  } catch {
    return; // Another process has removed it.
  }
  const holder = readHolder(moved);
  if (holder && (holder.pid !== ended.pid || holder.started !== ended.started)) {
    try {
      linkSync(moved, path);
    } catch {
      // A third process holds the lock now. The second one does not remove it, because its content differs.
    }
  }
  rmSync(moved, { force: true });
}

function readHolder(path: string): ProcessIdentity | undefined {
  try {
    const value: unknown = JSON.parse(readText(path) ?? "");
    const { pid, started } = value as Partial<ProcessIdentity>;
    return typeof pid === "number" && typeof started === "string" ? { pid, started } : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
