/** Results of the test runs on several versions of Kubernetes, in one table. */
import { relative } from "node:path";

/** The fields of Vitest's JSON report that are read. */
export interface Report {
  readonly testResults: readonly {
    /** Path of the test file. */
    readonly name: string;
    readonly status: "passed" | "failed";
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

/** A run on one version. */
export interface Outcome {
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** `FILE: TEST` of each failure, or the file alone where it failed outside of its tests. */
  readonly failing: readonly string[];
}

/**
 * Counts the tests of a run. A file that fails outside of its tests, and a run that fails without a failing test, count as a failure each.
 *
 * @param end exit status of the run, or the signal that ended it
 * @param root folder that the paths of test files are relative to
 */
export function outcomeOf(
  version: string,
  report: Report | undefined,
  end: number | string | null,
  root: string,
): Outcome {
  const failing: string[] = [];
  const counts = { passed: 0, skipped: 0 };
  for (const { name, status, assertionResults } of report?.testResults ?? []) {
    const file = relative(root, name);
    const failed = assertionResults.filter((test) => test.status === "failed");
    counts.passed += assertionResults.filter((test) => test.status === "passed").length;
    counts.skipped += assertionResults.filter((test) => !["passed", "failed"].includes(test.status)).length;
    failing.push(...failed.map(({ fullName }) => `${file}: ${fullName}`));
    if (status === "failed" && failed.length === 0) failing.push(file);
  }
  if (end !== 0 && failing.length === 0) failing.push(`the run ended with ${end}`);
  return { version, ...counts, failed: failing.length, failing };
}

/** A line for each version, and one for each further failure. */
export function table(outcomes: readonly Outcome[]): string {
  const head = ["version", "passed", "failed", "skipped", "failing tests"];
  const rows = outcomes.flatMap(({ version, passed, failed, skipped, failing: [first = "", ...further] }) => [
    [version, `${passed}`, `${failed}`, `${skipped}`, first],
    ...further.map((name) => ["", "", "", "", name]),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map((row) => `${line(row)}\n`).join("");
}
