import type { ChildProcess } from "node:child_process";

/** Whether a process has exited or a signal has ended it. Its event `exit` then does not come any more. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
