/** The type declarations of the library. */
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { root } from "./bundle.ts";

/** Imports of modules of this repository, in declarations. */
const imports = /(\bfrom |\bimport\(?)"(\.[^"]*)\.ts"/g;

/**
 * Declarations of modules and of all that they refer to: paths from the root of the repository (`components/index.d.ts`), with texts.
 *
 * @param entries paths from the root of the repository
 * @throws Error with the messages of the compiler
 */
export function declarations(entries: readonly string[]): ReadonlyMap<string, string> {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile) as { config: object };
  const files = entries.map((entry) => join(root, entry));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, root);
  const program = ts.createProgram(files, {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: root,
    outDir: root,
    newLine: ts.NewLineKind.LineFeed,
  });
  const emitted = new Map<string, string>();
  const { diagnostics } = program.emit(undefined, (file, text) => emitted.set(relative(root, file), text));
  if (diagnostics.length > 0) {
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => root, getNewLine: () => "\n" };
    throw new Error(ts.formatDiagnostics(diagnostics, host));
  }
  const reached = new Map<string, string>();
  const reach = (file: string) => {
    const text = emitted.get(file);
    if (reached.has(file)) return;
    if (text === undefined) throw new Error(`The compiler wrote no ${file}.`);
    reached.set(file, text.replaceAll(imports, '$1"$2.js"'));
    for (const [, , path = ""] of text.matchAll(imports)) reach(join(dirname(file), `${path}.d.ts`));
  };
  for (const entry of entries) reach(entry.replace(/\.ts$/, ".d.ts"));
  return new Map([...reached].sort(([a], [b]) => (a < b ? -1 : 1)));
}
