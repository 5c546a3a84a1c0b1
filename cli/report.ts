/** Findings and expiry dates as tables. */
import type { Finding } from "../kubernetes/finding.ts";
import type { Terminal } from "./command.ts";
import { describeExpiry, type Expiry } from "./expiry.ts";
import { paint, table } from "./table.ts";

/** A line for each finding: mark, claim, observation. */
export function formatFindings(findings: readonly Finding[], terminal?: Terminal, indent?: string): string {
  const rows = findings.map(({ claim, holds, seen }) => [mark(holds, terminal), claim, seen]);
  return table(rows, terminal, indent);
}

/** A line for each credential: its name, its subject, its expiry. */
export function formatExpiries(expiries: readonly Expiry[], now: Date, terminal?: Terminal, indent?: string): string {
  const rows = expiries.map((expiry) => [expiry.credential, expiry.subject, describeExpiry(expiry, now, terminal)]);
  return table(rows, terminal, indent);
}

function mark(holds: Finding["holds"], terminal?: Terminal): string {
  if (holds === null) return paint(terminal, "yellow", "?   ");
  return holds ? paint(terminal, "green", "ok  ") : paint(terminal, "red", "FAIL");
}
