/** The results of `k8sauth doctor`. */
import type { Terminal } from "../command.ts";
import { paint, table } from "../table.ts";

export interface Diagnosis {
  /** The part of the machine or of the cluster. */
  readonly subject: string;
  /** `note`: something optional is missing; `unknown`: could not be determined. Only `failed` fails the command. */
  readonly status: "ok" | "note" | "unknown" | "failed";
  readonly seen: string;
  /** What to do; absent if there is nothing to do. */
  readonly remedy?: string;
}

/** A row for each diagnosis, its remedy below it. */
export function formatDiagnoses(diagnoses: readonly Diagnosis[], terminal?: Terminal): string {
  const rows = diagnoses.map(({ subject, status, seen, remedy }) => {
    const text = remedy === undefined ? seen : `${seen}\n${paint(terminal, "bold", "→")} ${remedy}`;
    return [mark(status, terminal), subject, text];
  });
  return table(rows, terminal);
}

function mark(status: Diagnosis["status"], terminal?: Terminal): string {
  switch (status) {
    case "ok":
      return paint(terminal, "green", "ok  ");
    case "note":
      return paint(terminal, "yellow", "note");
    case "unknown":
      return paint(terminal, "yellow", "?   ");
    case "failed":
      return paint(terminal, "red", "FAIL");
  }
}
