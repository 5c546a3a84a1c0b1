import type { Fault, TestName } from "./fault.ts";
import { allFaults, sections } from "./index.ts";

/** docs/faults.md. */
export function faultsPage(): string {
  const uncovered = allFaults.filter(({ tests }) => tests.length === 0).map(({ fault }) => fault);
  const exceptions = uncovered.length === 0 ? "" : ` except for: ${uncovered.join("; ")}`;
  const tables = sections.map(
    ({ title, faults }) =>
      `## ${title}\n\n| fault | behaviour | tests |\n|---|---|---|\n${faults.map(row).join("\n")}\n`,
  );
  return `# Faults

<!-- Generated from docs/reference/faults by \`npm run generate\`. -->

The page lists faults, the behaviour of the product, and the tests that prove it: ${allFaults.length} faults, all with tests${exceptions}. A run of all tests
compares its results with this table. In CI, a row whose test failed or was not run fails the run. [What was proved](proved.md) says what
the tests run against.

${tables.join("\n")}`;
}

function row({ fault, behaviour, tests, gap }: Fault): string {
  const proof = [...filesOf(tests), ...(gap === undefined ? [] : [tests.length === 0 ? `Not covered. ${gap}` : gap])];
  return `| ${[fault, behaviour, proof.join("<br>")].map(cell).join(" | ")} |`;
}

/** Links to the files, each with the titles of its tests. */
function filesOf(tests: readonly TestName[]): string[] {
  const byFile = Map.groupBy(tests, ([file]) => file);
  return [...byFile].map(
    ([file, names]) => `[${file}](../test/${file}): ${names.map(([, name]) => code(name)).join("; ")}`,
  );
}

/** A code span, whatever backticks are in it. */
function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
