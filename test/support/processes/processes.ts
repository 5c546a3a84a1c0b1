/** Processes of a program under test, which writes their ids into a file. */
import { existsSync, readFileSync } from "node:fs";
import { expect } from "vitest";

/** How long a test waits for processes to start and to end, in milliseconds. The machine can be busy with other tests. */
export const patienceMs = 25_000;

/** Whether a process runs. A zombie does not. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) [ZX] /.test(readFileSync(stat, "utf8"));
}

/** The ids in a file, one a line. */
export function pidsIn(file: string): number[] {
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").filter(Boolean).map(Number) : [];
}

/** Waits until the file has `count` ids of processes that run. */
export async function allRunning(file: string, count: number): Promise<number[]> {
  await expect.poll(() => pidsIn(file).filter(isRunning).length, { timeout: patienceMs, interval: 20 }).toBe(count);
  return pidsIn(file);
}

/** Waits until none of the processes runs. */
export async function noneRunning(pids: readonly number[]): Promise<void> {
  await expect.poll(() => pids.filter(isRunning), { timeout: patienceMs, interval: 20 }).toEqual([]);
}

/** Kills the processes that a failed test left. */
export function endAll(pids: readonly number[]): void {
  for (const pid of pids.filter(isRunning)) process.kill(pid, "SIGKILL");
}
