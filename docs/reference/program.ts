/** Modules of this repository, as the TypeScript compiler sees them. */
import { join } from "node:path";
import ts from "typescript";

const root = join(import.meta.dirname, "..", "..");

export interface Module {
  readonly checker: ts.TypeChecker;
  /** What the module exports, re-exports included, in its order. */
  readonly exported: readonly ts.Symbol[];
}

const loaded = new Map<string, Module>();

/** @param path of the module, from the root of the repository */
export function loadModule(path: string): Module {
  const known = loaded.get(path);
  if (known) return known;
  const entry = join(root, path);
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile) as { config: object };
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [entry] }, ts.sys, root);
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`${entry} exports nothing.`);
  const exported = checker.getExportsOfModule(module).map((symbol) => aliased(symbol, checker));
  const result = { checker, exported };
  loaded.set(path, result);
  return result;
}

/** The symbol itself, whatever name it was imported or exported by. */
export function aliased(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

/** The text of a doc comment, without its tags. */
export function textOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
}

/** The text of a tag of a doc comment. */
export function tagOf(symbol: ts.Symbol, tag: string, checker: ts.TypeChecker): string | undefined {
  const text = symbol.getJsDocTags(checker).find(({ name }) => name === tag)?.text;
  return text && ts.displayPartsToString(text);
}
