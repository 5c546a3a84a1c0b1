import { expect, test } from "vitest";
import { outcomeOf, table } from "../../versions/report.ts";

const file = (name: string, status: "passed" | "failed", tests: Readonly<Record<string, string>>) => ({
  name: `/checkout/${name}`,
  status,
  assertionResults: Object.entries(tests).map(([fullName, state]) => ({ fullName, status: state })),
});

test("passed, failed and skipped tests are counted, and the failed ones named", () => {
  const report = {
    testResults: [
      file("test/a.test.ts", "passed", { one: "passed", two: "passed", three: "skipped", four: "todo" }),
      file("test/b.test.ts", "failed", { "group five": "failed", six: "passed" }),
    ],
  };
  expect(outcomeOf("v1.34.4", report, 1, "/checkout")).toEqual({
    version: "v1.34.4",
    passed: 3,
    failed: 1,
    skipped: 2,
    failing: ["test/b.test.ts: group five"],
  });
});

test("a file that fails outside of its tests is a failure", () => {
  const report = { testResults: [file("test/a.test.ts", "failed", { one: "skipped" })] };
  expect(outcomeOf("v1", report, 1, "/checkout")).toMatchObject({ failed: 1, failing: ["test/a.test.ts"] });
});

test.each([[1], ["SIGKILL"]])("a run that ends with %j and without a report is a failure", (end) => {
  expect(outcomeOf("v1", undefined, end, "/")).toMatchObject({ failed: 1, failing: [`the run ended with ${end}`] });
});

test("the table has a line for each version and each failure", () => {
  const outcomes = [
    { version: "v1.34.4", passed: 120, failed: 2, skipped: 0, failing: ["a: one", "b: two"] },
    { version: "v1.37.2", passed: 122, failed: 0, skipped: 0, failing: [] },
  ];
  expect(table(outcomes).split("\n")).toEqual([
    "version  passed  failed  skipped  failing tests",
    "v1.34.4  120     2       0        a: one",
    "                                  b: two",
    "v1.37.2  122     0       0",
    "",
  ]);
});
