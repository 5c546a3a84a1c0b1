import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { hostname, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { writeNew } from "./backend.ts";
import { EngineError, systemCode } from "./errors.ts";

/** What a lock file says, in the Pulumi CLI's own fields and one more. */
interface LockContent {
  readonly pid: number;
  readonly username: string;
  readonly hostname: string;
  readonly timestamp: string;
  /** When the process started, in the kernel's terms: tells a holder from another process with the same id. */
  readonly started?: string;
}

export interface Lock {
  release(): Promise<void>;
}

/**
 * Locks a stack for writing: a file of our own in the stack's lock folder, then a look whether there is another. A lock
 * whose process is gone from this machine is what a crash left, and is removed with a word to `notice`; any other
 * throws `STACK_LOCKED`.
 */
export async function lockStack(folder: string, notice: (message: string) => void): Promise<Lock> {
  const own = `${randomUUID()}.json`;
  const content: LockContent = {
    pid: process.pid,
    username: userName(),
    hostname: hostname(),
    timestamp: new Date().toISOString(),
    started: statOf(process.pid)?.started,
  };
  // Written elsewhere and moved, so that a crash never leaves a lock file that can't be read.
  const unfinished = join(dirname(folder), `.${own}.tmp`);
  await writeNew(unfinished, JSON.stringify(content));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rename(unfinished, join(folder, own));
  const release = () => rm(join(folder, own), { force: true });
  try {
    for (const file of await readdir(folder)) {
      if (file !== own && file.endsWith(".json")) await inspect(join(folder, file), notice);
    }
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

async function inspect(file: string, notice: (message: string) => void): Promise<void> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return;
  const holder = parse(text);
  if (holder && isStale(holder)) {
    notice(
      `A run that ended without unlocking (process ${holder.pid}, ${holder.timestamp}) left a lock; it was removed.`,
    );
    await rm(file, { force: true });
    return;
  }
  const who = holder
    ? `by process ${holder.pid} of ${holder.username} on ${holder.hostname} since ${holder.timestamp}`
    : "by a lock file that can't be read";
  throw new EngineError(
    "STACK_LOCKED",
    `The stack is locked ${who}. Wait until that run ends; if you are sure that it has, remove ${file} ` +
      "(or run `pulumi cancel`).",
  );
}

function parse(text: string): LockContent | undefined {
  try {
    const json = JSON.parse(text) as Partial<LockContent>;
    return typeof json.pid === "number" && typeof json.hostname === "string" ? (json as LockContent) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the holder can't be running any more. A process on another machine may always be. */
function isStale(holder: LockContent): boolean {
  if (holder.hostname !== hostname()) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return systemCode(error) === "ESRCH";
  }
  const found = statOf(holder.pid);
  if (!found) return false;
  return found.hasEnded || (holder.started !== undefined && holder.started !== found.started);
}

/** What the kernel tells of a process (proc(5), stat); undefined where there is no /proc. */
function statOf(pid: number): { readonly hasEnded: boolean; readonly started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = ""] = fields;
    // One that has ended can be signalled until its parent takes note of it, which may be never; while threads of it (field 20) are
    // left, it has not. Field 22 is when it started, in clock ticks since boot.
    return { hasEnded: state === "X" || (state === "Z" && Number(fields[17]) <= 1), started: fields[19] as string };
  } catch {
    return undefined;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
