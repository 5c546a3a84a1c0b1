import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A process. The start time (ticks since boot; "" if unknown) distinguishes it from a later process with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
}

/** Start time of a running process; undefined if it has ended or is a zombie. */
function startTime(pid: number): string | undefined {
  if (process.platform !== "linux") return startTimeByPs(pid);
  try {
    // proc_pid_stat(5): the name in parentheses may contain blanks. The fields after it are state (3rd) … starttime (22nd).
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    // A killed process is a zombie while its other threads (20th field: their number) keep its sockets open.
    const ended = fields[0] === "X" || (fields[0] === "Z" && Number(fields[17]) <= 1);
    return ended ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const [state = "Z"] = execFileSync("ps", ["-o", "state=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return state === "Z" ? undefined : "";
  } catch {
    return undefined;
  }
}

export function identify(pid: number): ProcessIdentity {
  return { pid, started: startTime(pid) ?? "" };
}

/** Whether the process runs. A later process with the same pid does not count. */
export function isAlive(id: ProcessIdentity): boolean {
  const started = startTime(id.pid);
  return started !== undefined && (id.started === "" || started === "" || started === id.started);
}

/** Sends a signal unless the process is gone. */
export function signalProcess(id: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Waits until all processes have ended; false if one still runs after `timeoutMs`. */
export async function waitForEnd(ids: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (ids.some(isAlive)) {
    if (Date.now() > deadline) return false;
    await delay(10);
  }
  return true;
}
