/** docs/components.md, from the doc comments of components/index.ts. */
import ts from "typescript";
import { firstSentence, row } from "./part.ts";
import { exportsOf, textOf } from "./program.ts";

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
  const construct = declaration.members.find(ts.isConstructorDeclaration);
  const args = construct?.parameters.find((parameter) => parameter.name.getText() === "args");
  const argsType = args && checker.getTypeAtLocation(args);
  const example = symbol.getJsDocTags(checker).find(({ name }) => name === "example")?.text;
  return {
    name: symbol.name,
    description: textOf(symbol, checker),
    example: example && ts.displayPartsToString(example),
    args: (argsType?.getProperties() ?? []).map((property) => memberOf(property, checker)),
    outputs: declaration.members
      .filter(ts.isPropertyDeclaration)
      .filter((member) => ts.isIdentifier(member.name))
      .flatMap((member) => checker.getSymbolAtLocation(member.name) ?? [])
      .map((property) => memberOf(property, checker)),
  };
}

function memberOf(symbol: ts.Symbol, checker: ts.TypeChecker): Member {
  const [declaration] = symbol.declarations ?? [];
  const node = declaration && (ts.isPropertySignature(declaration) || ts.isPropertyDeclaration(declaration));
  const type = node ? (declaration.type?.getText() ?? "") : "";
  const standard = symbol.getJsDocTags(checker).find(({ name }) => name === "default")?.text;
  return {
    name: symbol.name,
    type: plain(type),
    required: !(symbol.flags & ts.SymbolFlags.Optional),
    description: textOf(symbol, checker),
    default: standard && ts.displayPartsToString(standard),
  };
}

/** A type without what every argument may be: an input, and read-only. */
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
