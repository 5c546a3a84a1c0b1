import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL("../../../../provider", import.meta.url));

const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(ts|cjs)$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }));

/** Components of programs in other languages are created by the SDK, in the folder that is loaded for them alone. */
const isForComponents = ({ name }: { name: string }) => name.startsWith("components/");

test("the plugin loads Pulumi's protocol and not its SDK, which logs whole answers", () => {
  const imported = sources
    .filter((source) => !isForComponents(source))
    .flatMap(({ text }) => [...text.matchAll(/["'](@pulumi\/[^"']+)["']/g)].map(([, specifier]) => specifier));
  expect(imported.length).toBeGreaterThan(0);
  expect(imported.filter((specifier) => !specifier?.startsWith("@pulumi/pulumi/proto/"))).toEqual([]);
});

test("the SDK is loaded by a call of Construct only", () => {
  const users = sources.filter(
    (source) => !isForComponents(source) && /["'][./]+components\/[^"']+["']/.test(source.text),
  );
  expect(users.map(({ name }) => name)).toEqual(["main.ts"]);
  const [main] = users;
  expect(main?.text.match(/["'][./]+components\/[^"']+["']/g)).toHaveLength(1);
  expect(main?.text).toMatch(/await import\("\.\/components\/construct\.ts"\)/);
});
