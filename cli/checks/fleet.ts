/** Checks several stacks, and summarizes their results in a table. */
import { stripVTControlCharacters } from "node:util";
import type { Finding } from "../../kubernetes/finding.ts";
import type { Io, Terminal } from "../command.ts";
import { describeExpiry, type Expiry } from "../expiry.ts";
import { formatFindings } from "../report.ts";
import { paint, table } from "../table.ts";

/** Result of the check of one stack. */
export interface StackReport {
  readonly stack: string;
  /** The setting `context`; "" if the settings could not be read. */
  readonly cluster: string;
  /** API server as the gateway reaches it; "" if the outputs could not be read. */
  readonly host: string;
  /** Kinds of the credentials, as in the output `credentials`. */
  readonly kinds: readonly string[];
  readonly expiries: readonly Expiry[];
  readonly findings: readonly Finding[];
  /** Why the check could not be finished. */
  readonly error?: string;
}

/** Number of stacks that are checked at the same time. Each runs the Pulumi CLI, which needs about 200 MB of memory. */
const parallel = 4;

/** Checks stacks, a few at a time, and returns their reports in the order of the names. */
export async function checkStacks(
  names: readonly string[],
  checkOne: (name: string) => Promise<StackReport>,
  { err, tty }: Pick<Io, "err" | "tty">,
): Promise<StackReport[]> {
  const reports: StackReport[] = [];
  let [next, done] = [0, 0];
  const show = () => tty && err(`\r\u001b[K${done} of ${names.length} stacks checked`);
  const worker = async () => {
    for (let at = next++; at < names.length; at = next++) {
      reports[at] = await checkOne(names[at] ?? "");
      done++;
      show();
    }
  };
  show();
  await Promise.all(Array.from({ length: parallel }, worker));
  if (tty) err("\r\u001b[K");
  return reports;
}

/** Whether the check was finished and no claim is false. */
export function holds({ error, findings }: StackReport): boolean {
  return error === undefined && findings.every((finding) => finding.holds !== false);
}

/** A row for each stack, then the claims that are false and the errors. On a narrow terminal each stack has several lines. */
export function formatStacks(reports: readonly StackReport[], now: Date, terminal?: Terminal): string {
  const cells = reports.map((report) => [
    holds(report) ? paint(terminal, "green", "ok  ") : paint(terminal, "red", "FAIL"),
    report.stack,
    report.cluster || "-",
    report.host || "-",
    report.kinds.map((kind) => kindNames[kind] ?? kind).join(", ") || "-",
    counted(report, terminal),
    nextExpiry(report.expiries, now, terminal),
  ]);
  const heads = ["", "STACK", "CLUSTER", "HOST", "CREDENTIALS", "CHECKS", "NEXT EXPIRY"];
  const wide = [heads.map((head) => paint(terminal, "dim", head)), ...cells];
  const page = fits(wide, terminal) ? table(wide, terminal) : table(cells.map(narrow), terminal);
  const failures = reports.filter((report) => !holds(report)).map((report) => details(report, terminal));
  const passed = reports.filter(holds).length;
  return `${[page, ...failures].join("\n")}\n${passed} of ${reports.length} stacks passed.\n`;
}

const kindNames: Readonly<Record<string, string>> = {
  Secret: "token",
  TokenRequest: "expiring token",
  Certificate: "certificate",
  RancherKey: "Rancher key",
};

function fits(rows: readonly (readonly string[])[], terminal?: Terminal): boolean {
  if (terminal === undefined) return true;
  const plain = table(rows.map((row) => row.map((cell) => stripVTControlCharacters(cell))));
  return plain.split("\n").every((line) => line.length <= terminal.columns);
}

/** The cells of a stack in three columns, for a terminal on which the table does not fit. */
function narrow([mark = "", stack = "", cluster = "", host = "", kinds = "", checks = "", expiry = ""]: string[]) {
  return [mark, stack, `${cluster === "-" ? "" : `${cluster}, `}${host}\n${kinds}: ${checks}\n${expiry}`];
}

function counted({ findings, error }: StackReport, terminal?: Terminal): string {
  const count = (wanted: Finding["holds"]) => findings.filter((finding) => finding.holds === wanted).length;
  const [passed, failed, unknown] = [count(true), count(false), count(null)];
  const parts = [
    `${passed} ok`,
    ...(failed > 0 ? [paint(terminal, "red", `${failed} failed`)] : []),
    ...(unknown > 0 ? [paint(terminal, "yellow", `${unknown} ?`)] : []),
    ...(error === undefined ? [] : [paint(terminal, "red", "not finished")]),
  ];
  return parts.join(", ");
}

function nextExpiry(expiries: readonly Expiry[], now: Date, terminal?: Terminal): string {
  const dated = expiries.filter(({ notAfter }) => notAfter !== "");
  const [next] = dated.sort((a, b) => Date.parse(a.notAfter) - Date.parse(b.notAfter));
  if (next !== undefined) return `${next.credential} ${describeExpiry(next, now, terminal)}`;
  if (expiries.some(({ unknown }) => unknown)) return "not known";
  return expiries.length === 0 ? "-" : "none expires";
}

function details({ stack, findings, error }: StackReport, terminal?: Terminal): string {
  const failed = findings.filter((finding) => finding.holds === false);
  const unfinished = error === undefined ? [] : [{ claim: "the check", holds: false, seen: error }];
  return `${paint(terminal, "bold", stack)}\n${formatFindings([...failed, ...unfinished], terminal)}`;
}
