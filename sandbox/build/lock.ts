import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "./errors.ts";
import { storageError } from "./paths.ts";
import { type Identity, identify, isAlive } from "./process.ts";

export interface LockOptions {
  /** How long to wait for a holder that lives, in milliseconds. */
  readonly timeoutMs: number;
  /** What the lock is for, in errors. */
  readonly what: string;
  readonly signal?: AbortSignal;
  /** Called about every 250 ms while someone else holds the lock. */
  readonly onWait?: (holder: Identity) => void;
}

/**
 * Runs `work` while holding the lock file at `path`. A lock whose holder died is taken over; the file names the holder by
 * pid and start time, so that neither a kill -9 nor a reused pid leaves it closed.
 *
 * @throws SandboxError SANDBOX_BUSY when the holder lives on past the timeout, SANDBOX_ABORTED
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const mine = JSON.stringify({ ...identify(process.pid), nonce: randomBytes(8).toString("hex") });
  const deadline = Date.now() + options.timeoutMs;
  while (!tryLock(path, mine)) {
    const holder = readHolder(path);
    if (holder && !isAlive(holder)) {
      breakLock(path, holder);
      continue;
    }
    if (Date.now() > deadline) {
      throw new SandboxError(
        "SANDBOX_BUSY",
        `${options.what}: another process${holder ? ` (pid ${holder.pid})` : ""} has been at it for ${Math.round(options.timeoutMs / 1000)} s (lock file ${path}). Wait for it or end it, then try again.`,
      );
    }
    if (options.signal?.aborted) throw new SandboxError("SANDBOX_ABORTED", `${options.what} was cancelled.`);
    if (holder) options.onWait?.(holder);
    await delay(holder ? 100 : 10);
  }
  try {
    return await work();
  } finally {
    if (readText(path) === mine) rmSync(path, { force: true });
  }
}

/** Makes the file with its content in one step: a link to a complete file, which fails when the name is taken. */
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

/** Moves a dead holder's lock away, and puts it back if meanwhile someone else had broken and taken it. */
function breakLock(path: string, dead: Identity): void {
  const aside = `${path}.${process.pid}.${randomBytes(4).toString("hex")}.dead`;
  try {
    renameSync(path, aside);
  } catch {
    return; // someone else was faster
  }
  const moved = readHolder(aside);
  if (moved && (moved.pid !== dead.pid || moved.started !== dead.started)) {
    try {
      linkSync(aside, path);
    } catch {
      // A third process has the lock by now; the one in between finds out when it lets go.
    }
  }
  rmSync(aside, { force: true });
}

function readHolder(path: string): Identity | undefined {
  try {
    const value: unknown = JSON.parse(readText(path) ?? "");
    const { pid, started } = value as Partial<Identity>;
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
