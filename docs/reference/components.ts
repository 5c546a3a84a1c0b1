/** docs/components.md, from the doc comments of components/index.ts. */
import ts from "typescript";
import { firstSentence, row } from "./part.ts";
import { exportsOf, tagOf, textOf } from "./program.ts";

/** A member of an interface or a class. */
export interface Member {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  /** Meaning, without the default. */
  readonly description: string;
  readonly default: string | undefined;
}

/** A class that the package exports. */
export interface Documented {
  readonly name: string;
  readonly description: string;
  /** TypeScript. */
  readonly example: string | undefined;
  readonly args: readonly Member[];
  readonly outputs: readonly Member[];
}

/** Every class of components/index.ts, in its order. */
export function documentedComponents(): Documented[] {
  const { checker, exported } = exportsOf("components/index.ts");
  return exported.flatMap((symbol) => {
    const declaration = symbol.declarations?.find(ts.isClassDeclaration);
    return declaration ? [documented(declaration, symbol, checker)] : [];
  });
}

function documented(declaration: ts.ClassDeclaration, symbol: ts.Symbol, checker: ts.TypeChecker): Documented {
  return {
    name: symbol.name,
    description: textOf(symbol, checker),
    example: tagOf(symbol, "example", checker),
    args: argumentsOf(declaration, checker).map((property) => memberOf(property, checker)),
    outputs: outputsOf(declaration, checker).map((property) => memberOf(property, checker)),
  };
}

/** The members of the type of the constructor's `args`. */
export function argumentsOf(declaration: ts.ClassDeclaration, checker: ts.TypeChecker): ts.Symbol[] {
  const construct = declaration.members.find(ts.isConstructorDeclaration);
  const args = construct?.parameters.find((parameter) => parameter.name.getText() === "args");
  return args ? checker.getTypeAtLocation(args).getProperties() : [];
}

/** The public properties of a class. */
export function outputsOf(declaration: ts.ClassDeclaration, checker: ts.TypeChecker): ts.Symbol[] {
  return declaration.members
    .filter(ts.isPropertyDeclaration)
    .filter((member) => ts.isIdentifier(member.name))
    .flatMap((member) => checker.getSymbolAtLocation(member.name) ?? []);
}

function memberOf(symbol: ts.Symbol, checker: ts.TypeChecker): Member {
  const [declaration] = symbol.declarations ?? [];
  const node = declaration && (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration));
  const type = node ? (declaration.type?.getText() ?? "") : "";
  return {
    name: symbol.name,
    type: plain(type),
    required: !(symbol.flags & ts.SymbolFlags.Optional),
    description: textOf(symbol, checker),
    default: tagOf(symbol, "default", checker),
  };
}

/** A type without `Input`, `Output` and `readonly`. A long type is an `object`. */
function plain(type: string): string {
  const unwrapped = type
    .replace(/\s+/g, " ")
    .replace(/^(?:pulumi\.)?(?:Input|Output)<(.*)>( \| undefined)?$/, "$1")
    .replace(/pulumi\.Input<(\w+)>/g, "$1")
    .replace(/\breadonly /g, "");
  return unwrapped.length > 60 ? "object" : unwrapped;
}

/** The page. */
export function componentsPage(components: readonly Documented[] = documentedComponents()): string {
  const index = components.map(
    ({ name, description }) => `| [${name}](#${name.toLowerCase()}) | ${firstSentence(description)} |`,
  );
  return `# Components

Generated from the doc comments of \`components/\` by \`npm run generate\`. Import them from
\`components/index.ts\`, or from the [npm package](library.md). Every argument may be a Pulumi output where its type allows it.

| class | meaning |
|---|---|
${index.join("\n")}

${components.map(section).join("\n")}`;
}

function section({ name, description, example, args, outputs }: Documented): string {
  const parts = [
    `## ${name}`,
    description,
    ...(example ? [`\`\`\`ts\n${example}\n\`\`\``] : []),
    ...(args.length > 0 ? [table("argument", args)] : []),
    ...(outputs.length > 0 ? [table("property", outputs)] : []),
  ];
  return `${parts.join("\n\n")}\n`;
}

function table(kind: "argument" | "property", members: readonly Member[]): string {
  const isArgument = kind === "argument";
  const rows = members.map((member) => {
    const name = `\`${member.name}\`${isArgument && member.required ? " (required)" : ""}`;
    const cells = [name, `\`${member.type}\``, member.description, ...(isArgument ? [member.default ?? ""] : [])];
    return row(cells);
  });
  const heads = isArgument
    ? "| argument | type | meaning | default |\n|---|---|---|---|"
    : "| property | type | meaning |\n|---|---|---|";
  return `${heads}\n${rows.join("\n")}`;
}
