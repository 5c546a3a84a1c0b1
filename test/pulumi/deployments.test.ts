import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { program } from "../support/stack.ts";

/** The commands of a shell script that call the CLI, lines that go on joined, as words. */
function calls(script: string): string[][] {
  return readFileSync(script, "utf8")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.startsWith("pulumi "))
    .map((line) => line.match(/'[^']*'|"[^"]*"|\S+/g) ?? []);
}

test("the CLI knows every command and option of the set-up for Pulumi Deployments", () => {
  const found = calls(join(program, "examples", "deployments", "setup.sh"));
  expect(found).toHaveLength(3);
  for (const [, ...words] of found) {
    const command = words.slice(
      0,
      words.findIndex((word) => word.startsWith("-")),
    );
    const help = execFileSync("pulumi", [...command, "--help"], { encoding: "utf8" });
    expect(help).toContain(`pulumi ${command.join(" ")} [flags]`);
    for (const option of words.filter((word) => word.startsWith("--"))) {
      expect(help, `${command.join(" ")} ${option}`).toMatch(new RegExp(`\\s${option}\\s`));
    }
  }
});
