import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { paint, table } from "../../../cli/table.ts";

const rows = [
  ["ok", "A token is accepted", "accepted as system:serviceaccount:auth:reviewer"],
  ["FAIL", "It reads no Secrets", "it was allowed"],
];

describe("a table", () => {
  test("has a line for each row, with columns of equal width and no space at the end", () => {
    expect(table([...rows, ["?", "no observation"]])).toBe(
      [
        "  ok    A token is accepted  accepted as system:serviceaccount:auth:reviewer\n",
        "  FAIL  It reads no Secrets  it was allowed\n",
        "  ?     no observation\n",
      ].join(""),
    );
  });

  test("wraps its last column to the width of a terminal", () => {
    expect(table(rows, { columns: 60, colors: false })).toBe(
      [
        "  ok    A token is accepted  accepted as\n",
        "                             system:serviceaccount:auth:reviewer\n",
        "  FAIL  It reads no Secrets  it was allowed\n",
      ].join(""),
    );
  });

  test("does not wrap a command in backticks", () => {
    expect(table([["→", "Run `k8sauth doctor --host x` there. Then go on."]], { columns: 31, colors: false })).toBe(
      ["  →  Run\n", "     `k8sauth doctor --host x`\n", "     there. Then go on.\n"].join(""),
    );
  });

  test("has its last column below the others on a narrow terminal", () => {
    expect(table(rows, { columns: 50, colors: false })).toBe(
      [
        "  ok    A token is accepted\n",
        "        accepted as\n",
        "        system:serviceaccount:auth:reviewer\n",
        "  FAIL  It reads no Secrets\n",
        "        it was allowed\n",
      ].join(""),
    );
  });

  test("aligns coloured cells by what is visible", () => {
    const terminal = { columns: 120, colors: true };
    const coloured = rows.map(([mark = "", ...rest]) => [paint(terminal, "green", mark), ...rest]);
    expect(table(coloured, terminal)).toContain("\u001b[32mok\u001b[39m  ");
    expect(stripVTControlCharacters(table(coloured, terminal))).toBe(table(rows, terminal));
  });

  test("keeps the line breaks of its last column", () => {
    expect(table([["ok", "one\ntwo"]])).toBe("  ok  one\n      two\n");
  });

  test("without rows is empty", () => {
    expect(table([])).toBe("");
  });
});

test.each([
  ["no terminal", undefined],
  ["a terminal without colours", { columns: 80, colors: false }],
])("text for %s is not coloured", (_, terminal) => {
  expect(paint(terminal, "red", "FAIL")).toBe("FAIL");
});
