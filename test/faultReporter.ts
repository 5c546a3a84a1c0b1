import type { Reporter, TestCase, TestModule } from "vitest/node";
import { type Fault, isNamed } from "../docs/reference/faults/fault.ts";
import { allFaults } from "../docs/reference/faults/index.ts";

/**
 * Compares the results of `npm test` with the table of faults, and prints the rows that they do not prove. In CI such a row is a failed run.
 * A run of some of the tests is not judged.
 */
export default class FaultReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    // Arguments of vitest: without a name of a file, a project or a test.
    const isWhole = process.argv.slice(2).every((argument) => argument === "run");
    if (!isWhole) return;
    const ran = modules.flatMap(({ moduleId, children }) =>
      [...children.allTests()].map((test) => [moduleId, test] as const),
    );
    const open = allFaults.filter((fault) => !isProved(fault, ran));
    process.stdout.write(
      `\n${allFaults.length - open.length} of ${allFaults.length} rows of docs/faults.md are proved\n`,
    );
    if (open.length === 0) return;
    process.stdout.write(
      `Tests of these rows failed or were not run:\n${open.map(({ fault }) => `  ${fault}\n`).join("")}`,
    );
    if (process.env.CI) process.exitCode = 1;
  }
}

/** Whether every test that a row names ran and passed. A row without tests claims nothing. */
export function isProved(
  { tests }: Pick<Fault, "tests">,
  ran: readonly (readonly [file: string, test: Pick<TestCase, "fullName" | "result">])[],
): boolean {
  return tests.every((name) => {
    const named = ran.filter(([file, { fullName }]) => file.endsWith(`/test/${name[0]}`) && isNamed(name, fullName));
    return named.length > 0 && named.every(([, test]) => test.result().state === "passed");
  });
}
