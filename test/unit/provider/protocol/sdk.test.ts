import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../../../provider", import.meta.url));

test("the plugin loads Pulumi's protocol and not its SDK, which logs whole answers", () => {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|cjs)$/.test(name));
  const imported = files.flatMap((name) =>
    [...readFileSync(join(folder, name), "utf8").matchAll(/["'](@pulumi\/[^"']+)["']/g)].map(
      ([, specifier]) => specifier,
    ),
  );
  expect(imported.length).toBeGreaterThan(0);
  expect(imported.filter((specifier) => !specifier?.startsWith("@pulumi/pulumi/proto/"))).toEqual([]);
});
