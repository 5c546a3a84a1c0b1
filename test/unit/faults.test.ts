import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isNamed, type TestName } from "../../docs/reference/faults/fault.ts";
import { allFaults } from "../../docs/reference/faults/index.ts";
import { isProved } from "../faultReporter.ts";

const pathOf = (file: string) => new URL(`../${file}`, import.meta.url);

test("every fault is listed once, and has tests or the reason why it has none", () => {
  expect(new Set(allFaults.map(({ fault }) => fault)).size).toBe(allFaults.length);
  for (const { fault, tests, gap } of allFaults) expect(tests.length > 0 || gap !== undefined, fault).toBe(true);
});

test.each(allFaults.filter(({ tests }) => tests.length > 0))("the tests exist: $fault", ({ tests }) => {
  for (const [file, name] of tests) {
    expect(existsSync(pathOf(file)), file).toBe(true);
    const source = readFileSync(pathOf(file), "utf8");
    for (const title of name.split(" > ")) {
      const spellings = [JSON.stringify(title), `\`${title}\``, `'${title}'`];
      expect(
        spellings.some((spelling) => source.includes(spelling)),
        `${file}: ${title}`,
      ).toBe(true);
    }
  }
});

test("docs/proved.md has a row for every page of docs/", () => {
  const folder = new URL("../../docs/", import.meta.url);
  const page = readFileSync(new URL("proved.md", folder), "utf8");
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "proved.md")) {
    expect(page).toMatch(new RegExp(`^\\| \\[[\\w -]+\\]\\(${name}\\)`, "m"));
  }
});

describe("a name of a test", () => {
  test.each<[string, string, boolean]>([
    ["a test", "a test", true],
    ["a test", "a group > a test", true],
    ["a group", "a group > a test", true],
    ["a group > a test", "file > a group > a test", true],
    ["a group > a test", "a group > another > a test", false],
    ["a test", "not a test", false],
    ["a %s with $what", "a key with (parentheses)", true],
    ["a %s that ends", "a key that goes on", false],
    ["one (of two)", "one (of two)", true],
  ])("%s stands for %s: %s", (name, fullName, expected) => {
    expect(isNamed(["unit/x.test.ts", name], fullName)).toBe(expected);
  });
});

describe("a row is proved", () => {
  const ran = (fullName: string, state: "passed" | "failed" | "skipped", file = "/repo/test/unit/x.test.ts") =>
    [file, { fullName, result: () => ({ state }) as never }] as const;
  const tests: readonly TestName[] = [["unit/x.test.ts", "a %s"]];

  test("if all of its tests ran and passed", () => {
    expect(isProved({ tests }, [ran("a key", "passed"), ran("a token", "passed"), ran("other", "failed")])).toBe(true);
  });

  test.each<[string, readonly ReturnType<typeof ran>[]]>([
    ["none ran", []],
    ["one failed", [ran("a key", "passed"), ran("a token", "failed")]],
    ["one was skipped", [ran("a key", "skipped")]],
    ["it ran in another file", [ran("a key", "passed", "/repo/test/unit/y.test.ts")]],
  ])("and not if %s", (_why, results) => {
    expect(isProved({ tests }, results)).toBe(false);
  });
});
