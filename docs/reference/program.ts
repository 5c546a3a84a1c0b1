/** The sources as TypeScript's compiler sees them: one program for all pages that follow from types and doc comments. */
import { join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..", "..");
const entries = ["index.ts", "components/index.ts", "gateways/index.ts"] as const;
let loaded: ts.Program | undefined;

/** Exports of an entry file, re-exports included, in their order, each as the symbol that declares it. */
export function exportsOf(entry: (typeof entries)[number]): { checker: ts.TypeChecker; exported: ts.Symbol[] } {
  loaded ??= load();
  const checker = loaded.getTypeChecker();
  const source = loaded.getSourceFile(join(root, entry));
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} exports nothing.`);
  const exported = checker.getExportsOfModule(module).map((symbol) => declared(symbol, checker));
  return { checker, exported };
}

function load(): ts.Program {
  const files = entries.map((entry) => join(root, entry));
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files }, ts.sys, root);
  return ts.createProgram(files, options);
}

/** The symbol that declares an imported or exported name. */
export function declared(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The text of a doc comment, without tags. */
export function textOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
}

/** The text of a tag of a doc comment. */
export function tagOf(symbol: ts.Symbol, tag: string, checker: ts.TypeChecker): string | undefined {
  const text = symbol.getJsDocTags(checker).find(({ name }) => name === tag)?.text;
  return text && ts.displayPartsToString(text);
}
