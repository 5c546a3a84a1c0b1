import type { Reporter, TestModule } from "vitest/node";

/** The last line of `npm test`: `N passed, N failed, N skipped`. In CI a skipped test is a failed run. */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      // A file that can't be loaded has no tests, but is a failure.
      if (module.state() === "failed" && module.errors().length > 0) counts.failed += 1;
    }
    const skipped = counts.skipped + counts.pending;
    if (process.env.CI && skipped > 0) process.exitCode = 1;
    // After the other reporters' own last words.
    process.once("exit", () => {
      process.stdout.write(`\n${counts.passed} passed, ${counts.failed + errors.length} failed, ${skipped} skipped\n`);
    });
  }
}
