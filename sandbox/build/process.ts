import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** A process, told from a later one with the same pid by when it started (ticks since boot; empty where unknown). */
export interface Identity {
  readonly pid: number;
  readonly started: string;
}

/** Start time of a running process: `undefined` when there is none or only its zombie is left. */
function startTime(pid: number): string | undefined {
  if (process.platform !== "linux") return startTimeByPs(pid);
  try {
    // proc_pid_stat(5): the name in parentheses may hold blanks; after it come state (3rd) … starttime (22nd).
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    // A killed process shows as a zombie while other threads of it (20th: their number) still hold its sockets.
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

export function identify(pid: number): Identity {
  return { pid, started: startTime(pid) ?? "" };
}

/** Whether this very process still runs. */
export function isAlive(id: Identity): boolean {
  const started = startTime(id.pid);
  return started !== undefined && (id.started === "" || started === "" || started === id.started);
}

/** Sends a signal unless the process is gone. */
export function signalProcess(id: Identity, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Waits until all have ended; false when one still runs after `timeoutMs`. */
export async function waitForEnd(ids: readonly Identity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (ids.some(isAlive)) {
    if (Date.now() > deadline) return false;
    await delay(10);
  }
  return true;
}
