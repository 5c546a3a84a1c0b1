/** provider/schema.json: the package for Pulumi's other languages, from the types and doc comments of TypeScript. */
import ts from "typescript";
import { argumentsOf, outputsOf } from "../components.ts";
import { exportsOf, textOf } from "../program.ts";
import { capital, type ObjectSpec, type TypeSpec, TypeWriter } from "./types.ts";

interface ClassSpec {
  readonly name: string;
  readonly base: string;
  readonly spec: {
    readonly isComponent?: true;
    readonly description: string;
    readonly inputProperties: ObjectSpec["properties"];
    readonly requiredInputs: readonly string[];
    readonly properties: ObjectSpec["properties"];
    readonly required: readonly string[];
  };
}

/** The schema, without the version. */
export function schemaFile(): string {
  const components = exportsOf("components/index.ts");
  const gateways = exportsOf("gateways/index.ts");
  const classTypes = new TypeWriter(components.checker);
  const functionTypes = new TypeWriter(gateways.checker);
  const classes = components.exported.flatMap((symbol) => {
    const declaration = symbol.declarations?.find(ts.isClassDeclaration);
    return declaration ? [classSpec(symbol, declaration, classTypes, components.checker)] : [];
  });
  const functions = gateways.exported.flatMap((symbol) => {
    const declaration = symbol.declarations?.find(ts.isFunctionDeclaration);
    return declaration ? functionSpec(symbol, declaration, functionTypes, gateways.checker) : [];
  });
  const provider = classes.find(({ base }) => base === "ProviderResource");
  const resources = classes.filter((one) => one !== provider).map(({ name, spec }) => [token(name), spec]);
  const inputProperties = provider?.spec.inputProperties;
  const schema = {
    name: "k8sauth",
    description:
      "Kubernetes identities for authentication gateways: token reviewers, client certificates, auth configs.",
    license: "Apache-2.0",
    // Without it, the generated Go code refers to element types that the generator does not write.
    language: { go: { generateExtraInputTypes: true } },
    config: { variables: withoutEnums(inputProperties) },
    provider: { description: provider?.spec.description, inputProperties },
    types: { ...classTypes.types, ...functionTypes.types },
    resources: Object.fromEntries(resources),
    functions: Object.fromEntries(functions),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function classSpec(
  symbol: ts.Symbol,
  declaration: ts.ClassDeclaration,
  types: TypeWriter,
  checker: ts.TypeChecker,
): ClassSpec {
  const base = declaration.heritageClauses?.[0]?.types[0]?.expression.getText().split(".").at(-1) ?? "";
  const isComponent = base === "ComponentResource";
  const inputs = types.shape(argumentsOf(declaration, checker), symbol.name, isComponent);
  // The plugin outputs the properties that a resource class only declares. Other properties exist in TypeScript alone.
  const fromPlugin = (member: ts.Symbol) =>
    ((member.valueDeclaration && ts.getCombinedModifierFlags(member.valueDeclaration)) ?? 0) & ts.ModifierFlags.Ambient;
  const members = outputsOf(declaration, checker).filter((member) => isComponent || fromPlugin(member));
  const outputs = types.shape(members, symbol.name);
  const spec = {
    ...(isComponent && { isComponent }),
    description: textOf(symbol, checker),
    inputProperties: inputs.properties,
    requiredInputs: inputs.required,
    properties: outputs.properties,
    required: outputs.required,
  };
  return { name: symbol.name, base, spec };
}

/**
 * A formatter: a function whose parameters are all objects. Their properties together are the arguments of the function, because no two
 * parameters have a property of the same name. The result is secret if an argument is secret.
 */
function functionSpec(
  symbol: ts.Symbol,
  declaration: ts.FunctionDeclaration,
  types: TypeWriter,
  checker: ts.TypeChecker,
): [string, object][] {
  const parameters = declaration.parameters.map((parameter) => checker.getTypeAtLocation(parameter));
  if (!parameters.every((type) => type.isUnion() || (type.flags & ts.TypeFlags.Object) !== 0)) return [];
  const shapes = parameters.map((type) =>
    merged((type.isUnion() ? type.types : [type]).map((one) => types.shape(one.getProperties(), capital(symbol.name)))),
  );
  const properties = Object.assign({}, ...shapes.map((shape) => shape.properties)) as ObjectSpec["properties"];
  const required = shapes.flatMap((shape) => shape.required);
  const secret = Object.values(properties).some((property) => property.secret === true);
  const text = declaration.type?.getText() === "string";
  const result: TypeSpec = text
    ? { type: "string" }
    : { type: "object", additionalProperties: { $ref: "pulumi.json#/Any" } };
  const spec = {
    description: textOf(symbol, checker),
    inputs: { type: "object", properties, required },
    outputs: {
      type: "object",
      properties: {
        result: {
          ...result,
          description: "The object that the product's API or file expects.",
          ...(secret && { secret }),
        },
      },
      required: ["result"],
    },
  };
  return [[token(symbol.name), spec]];
}

/** The members of a union as one object. A property is required if all members require it. */
function merged(shapes: readonly ObjectSpec[]): ObjectSpec {
  const [first] = shapes;
  const required = first?.required.filter((name) => shapes.every((shape) => shape.required.includes(name))) ?? [];
  return { properties: Object.assign({}, ...shapes.map((shape) => shape.properties)), required };
}

/** Configuration without enumerations. The generated Go code does not import them there. */
function withoutEnums(properties: ObjectSpec["properties"] = {}): ObjectSpec["properties"] {
  return Object.fromEntries(
    Object.entries(properties).map(([name, { $ref, ...spec }]) => [name, $ref ? { type: "string", ...spec } : spec]),
  );
}

function token(name: string): string {
  return `k8sauth:index:${name}`;
}
