import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const pages = readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
  (path) => path.endsWith(".md") && !path.includes("node_modules"),
);

test("every setting that can be declared is described, and no other", () => {
  const { config } = parse(read("Pulumi.yaml")) as { config: Record<string, unknown> };
  const rows = read("docs/settings.md").matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm);
  const described = [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/\w+/g)].map(([key]) => key));
  expect(described.sort()).toEqual(Object.keys(config).sort());
});

describe("links", () => {
  test.each(pages)("of %s lead to files of this repository", (page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = ""]) => link);
    const missing = links.filter((link) => !existsSync(join(root, dirname(page), link)));
    expect(missing).toEqual([]);
  });
});
