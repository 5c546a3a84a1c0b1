/** How results are told, on the terminal and on the page. */
import { type Changes, hasChanges } from "../../engine/index.ts";
import type { RunOptions, Status } from "./run.ts";

export const statusWords: Readonly<Record<Status, string>> = {
  succeeded: "succeeded",
  failed: "failed",
  timedOut: "timed out",
  interrupted: "interrupted",
  notStarted: "not started",
};

const done: Readonly<Record<string, string>> = {
  create: "created",
  update: "updated",
  replace: "replaced",
  delete: "deleted",
};

/** `3 created, 1 updated`; in previews `3 to create`. */
export function changesInWords(changes: Changes, operation: RunOptions["operation"]): string {
  const parts = Object.entries(done).flatMap(([name, word]) => {
    const count = changes[name as keyof Changes] ?? 0;
    return count > 0 ? [operation === "preview" ? `${count} to ${name}` : `${count} ${word}`] : [];
  });
  if (parts.length > 0) return parts.join(", ");
  return hasChanges(changes) ? "changed" : "no changes";
}

/** `0.4 s`, `12 s`, `3 min 5 s`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
