/** docs/outputs.md, from the exports of index.ts and the auth configs of gateways/. */
import ts from "typescript";
import { row } from "./part.ts";
import { exportsOf, textOf } from "./program.ts";

/** A field of an output or of an auth config. */
export interface Field {
  readonly name: string;
  /** "" if the declaration states none. */
  readonly type: string;
  readonly optional: boolean;
  readonly meaning: string;
}

/** An output of the stack. */
export interface DocumentedOutput {
  readonly name: string;
  readonly secret: boolean;
  readonly meaning: string;
}

/** The page. */
export function outputsPage(): string {
  const outputs = documentedOutputs();
  const rows = outputs.map(({ name, secret, meaning }) => row([`\`${name}\``, secret ? "yes" : "no", meaning]));
  return `# Outputs

<!-- Generated from index.ts and gateways by \`npm run generate\`. -->

\`pulumi stack output NAME --json\` prints an output of a stack, with \`--show-secrets\` if it is secret. [Gateways](gateways.md) says which product
reads which.

| output | secret | what |
|---|---|---|
${rows.join("\n")}

## \`cluster\`

${fieldTable(fieldsOfOutput("cluster"))}

## \`credentials\`

By name: \`token\`, \`certificate\`, \`rancher\`, and each bearer-token user.

### \`token\`, and each bearer-token user

${fieldTable(fieldsOfOutput("credentials", "token"))}

### \`certificate\`

${fieldTable(fieldsOfOutput("credentials", "certificate"))}

### \`rancher\`

${fieldTable(fieldsOfOutput("credentials", "rancher"))}

## \`clusterAccess\`

${fieldTable(fieldsOfOutput("clusterAccess"))}

## Auth configs

Fields with the type \`Pem\` hold PEM as it is, \`Base64Pem\` one line of base64 of PEM, \`Jwt\` the token as it is.

${authConfigFields()
  .map(({ name, meaning, fields }) => `### ${name}\n\n${meaning}\n\n${fieldTable(fields)}`)
  .join("\n\n")}
`;
}

/** Every export of index.ts, in its order. A doc comment that ends with "Secret." marks a secret. */
export function documentedOutputs(): DocumentedOutput[] {
  const { checker, exported } = exportsOf("index.ts");
  return exported.map((symbol) => {
    const text = textOf(symbol, checker);
    const meaning = text.replace(/\s*Secret\.$/, "");
    return { name: symbol.name, secret: meaning !== text, meaning };
  });
}

/** Fields of an output; with a name, those of the object that the output has under this name. */
export function fieldsOfOutput(output: string, name?: string): Field[] {
  const { checker, exported } = exportsOf("index.ts");
  const symbol = exported.find((candidate) => candidate.name === output);
  const [declaration] = symbol?.declarations ?? [];
  if (symbol === undefined || declaration === undefined) throw new Error(`index.ts exports no ${output}.`);
  const type = checker.getTypeOfSymbolAtLocation(symbol, declaration);
  const member = name === undefined ? undefined : type.getProperty(name);
  if (name !== undefined && member === undefined) throw new Error(`The output ${output} has no ${name}.`);
  const holder = member ? checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(member, declaration)) : type;
  return holder
    .getProperties()
    .filter((property) => isOwn(property) && !isEmpty(property))
    .map((property) => ({ name: property.name, type: "", optional: false, meaning: meaningOf(property, checker) }));
}

/** Whether a property is of this repository, and not one of Pulumi's `Output`. */
function isOwn({ declarations = [] }: ts.Symbol): boolean {
  return declarations.every((declaration) => !declaration.getSourceFile().fileName.includes("node_modules"));
}

/** Whether a property is always "": the object does not have it. */
function isEmpty({ valueDeclaration }: ts.Symbol): boolean {
  const value =
    valueDeclaration && ts.isPropertyAssignment(valueDeclaration) ? valueDeclaration.initializer : undefined;
  return value !== undefined && ts.isStringLiteral(value) && value.text === "";
}

/** The doc comment of a property, or of the property whose value it has. */
function meaningOf(property: ts.Symbol, checker: ts.TypeChecker): string {
  const text = textOf(property, checker);
  if (text !== "") return text;
  for (const declaration of property.declarations ?? []) {
    if (ts.isPropertyAssignment(declaration) && ts.isStringLiteral(declaration.initializer))
      return `\`${declaration.initializer.text}\`.`;
    const source = ts.isShorthandPropertyAssignment(declaration)
      ? destructured(checker.getShorthandAssignmentValueSymbol(declaration), checker)
      : ts.isPropertyAssignment(declaration)
        ? accessed(declaration.initializer, checker)
        : undefined;
    const found = source && meaningOf(source, checker);
    if (found) return found;
  }
  return "";
}

/** The property that a variable is destructured from; a variable of another kind itself. */
function destructured(variable: ts.Symbol | undefined, checker: ts.TypeChecker): ts.Symbol | undefined {
  const element = variable?.declarations?.find(ts.isBindingElement);
  if (element === undefined) return variable;
  const name = (element.propertyName ?? element.name).getText();
  return checker.getTypeAtLocation(element.parent).getProperty(name);
}

/** The first property that an expression reads. */
function accessed(node: ts.Node, checker: ts.TypeChecker): ts.Symbol | undefined {
  if (ts.isPropertyAccessExpression(node)) return checker.getSymbolAtLocation(node.name);
  return ts.forEachChild(node, (child) => accessed(child, checker));
}

/** Every interface that a function of gateways/ returns, with its fields. */
export function authConfigFields(): { name: string; meaning: string; fields: Field[] }[] {
  const { checker, exported } = exportsOf("gateways/index.ts");
  return exported.flatMap((symbol) => {
    const declaration = symbol.declarations?.find(ts.isFunctionDeclaration);
    const signature = declaration && checker.getSignatureFromDeclaration(declaration);
    const config = signature?.getReturnType().getSymbol();
    if (!config?.declarations?.some(ts.isInterfaceDeclaration)) return [];
    const fields = checker
      .getDeclaredTypeOfSymbol(config)
      .getProperties()
      .map((property) => ({
        name: property.name,
        type: declaredType(property),
        optional: (property.flags & ts.SymbolFlags.Optional) !== 0,
        meaning: textOf(property, checker),
      }));
    return [{ name: config.name, meaning: textOf(config, checker).replace(/\s+/g, " "), fields }];
  });
}

function declaredType({ declarations = [] }: ts.Symbol): string {
  return declarations.find(ts.isPropertySignature)?.type?.getText().replaceAll("readonly ", "") ?? "";
}

function fieldTable(fields: readonly Field[]): string {
  const typed = fields.some(({ type }) => type !== "");
  const head = typed ? "| field | type | meaning |\n|---|---|---|" : "| field | meaning |\n|---|---|";
  const rows = fields.map(({ name, type, optional, meaning }) =>
    row([`\`${name}\`${optional ? " (optional)" : ""}`, ...(typed ? [`\`${type}\``] : []), meaning]),
  );
  return `${head}\n${rows.join("\n")}`;
}
