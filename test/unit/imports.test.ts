/** The dependency rules of docs/architecture.md, held against every import of the sources. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { program } from "../support/project.ts";

/** Imports that the modules of a folder may have from other folders: a folder, or a file of it. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  "index.ts": ["stack", "components"],
  stack: ["components", "gateways", "kubernetes", "verifier/config/index.ts"],
  components: ["gateways", "verifier/bundle", "verifier/config/index.ts", "verifier/nodeFlags.ts"],
  gateways: ["kubernetes/pem.ts", "verifier/keys/rsa.ts"],
  provider: ["kubernetes", "verifier/keys/rsa.ts", "package.json", "components/index.ts", "gateways/index.ts"],
  kubernetes: [],
  verifier: [],
  policy: [],
  package: ["package.json", "components", "gateways", "policy/policies.ts", "verifier/bundle", "runtime"],
  sandbox: [],
  demo: ["sandbox", "kubernetes", "gateways", "verifier/bundle"],
  docs: [
    "stack/settings",
    ...["provider/protocol/errors.ts", "kubernetes/errors.ts", "sandbox/build/errors.ts", "gateways/access.ts"],
    ...["verifier/errors.ts", "verifier/client/errors.ts", "verifier/metrics.ts", "policy/policies.ts"],
    "verifier/config/settings.ts",
  ],
  cli: ["demo", "sandbox", "kubernetes", "gateways", "verifier/bundle"],
};

const folders = Object.keys(allowed);

function sourcesOf(folder: string): string[] {
  if (folder.endsWith(".ts")) return [folder];
  return readdirSync(join(program, folder), { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((file) => /\.(ts|mjs)$/.test(file) && !file.includes("node_modules"));
}

/** The project's own modules that a module imports, types included. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(program, file), "utf8"));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith("."))
    .map(({ fileName }) => normalize(join(dirname(file), fileName)));
}

const modules = new Map(folders.flatMap(sourcesOf).map((file) => [file, importsOf(file)]));

describe.each(folders)("%s", (folder) => {
  test("imports what the architecture allows, and nothing else", () => {
    const within = (file: string, place: string) => file === place || file.startsWith(`${place}/`);
    const places = [folder, ...(allowed[folder] ?? [])];
    const others = [...modules]
      .filter(([file]) => within(file, folder))
      .flatMap(([file, imports]) => imports.map((imported) => ({ file, imported })))
      .filter(({ imported }) => !places.some((place) => within(imported, place)))
      .map(({ file, imported }) => `${file} imports ${imported}`);
    expect(others).toEqual([]);
  });
});

test("every relative import is of a file that exists", () => {
  const missing = [...modules].flatMap(([file, imports]) =>
    imports.filter((imported) => !existsSync(join(program, imported))).map((imported) => `${file}: ${imported}`),
  );
  expect(modules.size).toBeGreaterThan(200);
  expect(missing).toEqual([]);
});

test("no module imports itself by way of others", () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (done.has(file)) return;
    done.add(file);
    for (const imported of modules.get(file) ?? []) visit(imported, [...path, file]);
  };
  for (const file of modules.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

test("no folder holds more than 16 files", () => {
  const count = new Map<string, number>();
  for (const file of modules.keys()) count.set(dirname(file), (count.get(dirname(file)) ?? 0) + 1);
  expect([...count].filter(([, files]) => files > 16)).toEqual([]);
});
