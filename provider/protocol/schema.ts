import manifest from "../../package.json" with { type: "json" };
import schema from "../schema.json" with { type: "json" };
import type { Descriptions, Field, Fields } from "./fields.ts";

/** A type in the package schema. @see https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/ */
export interface TypeSpec {
  readonly type?: string;
  readonly $ref?: string;
  readonly oneOf?: readonly TypeSpec[];
  readonly items?: TypeSpec;
  readonly additionalProperties?: TypeSpec;
  readonly description?: string;
  readonly secret?: boolean;
  /** Whether it accepts no outputs. */
  readonly plain?: boolean;
}

/** A type with a name. */
interface NamedSpec {
  readonly type: string;
  readonly properties?: Readonly<Record<string, TypeSpec>>;
  readonly required?: readonly string[];
  readonly enum?: readonly { readonly value: string }[];
}

export interface ComponentSpec {
  readonly inputProperties: Readonly<Record<string, TypeSpec>>;
  readonly requiredInputs: readonly string[];
  readonly properties: Readonly<Record<string, TypeSpec>>;
}

interface FunctionSpec {
  readonly inputs: {
    readonly properties: Readonly<Record<string, TypeSpec & { readonly description: string }>>;
    readonly required: readonly string[];
  };
  readonly outputs: { readonly properties: { readonly result: TypeSpec } };
}

interface Schema {
  readonly provider: { readonly inputProperties: Descriptions };
  readonly types: Readonly<Record<string, NamedSpec>>;
  readonly resources: Readonly<
    Record<string, ComponentSpec & { readonly isComponent?: boolean; readonly inputProperties: Descriptions }>
  >;
  readonly functions: Readonly<Record<string, FunctionSpec>>;
}

/** `npm run generate` writes schema.json from the classes of components/ and the functions of gateways/. */
const { provider, types, resources, functions } = schema as unknown as Schema;

export const { version } = manifest;

/** The package schema as JSON, for GetSchema of the protocol. */
export function packageSchema(): string {
  return JSON.stringify({ ...schema, version });
}

export const providerDescriptions = provider.inputProperties;

/** Descriptions of the inputs of a type. */
export function descriptionsOf(type: string): Descriptions {
  return resources[type]?.inputProperties ?? {};
}

/** The type that a reference in the schema names. */
export function typeNamed(reference: string | undefined): NamedSpec | undefined {
  return reference === undefined ? undefined : types[reference.replace("#/types/", "")];
}

/** The component of a type. */
export function componentOf(type: string): ComponentSpec | undefined {
  const found = resources[type];
  return found?.isComponent ? found : undefined;
}

/** The arguments of a function, and whether its result is a secret. */
export function functionOf(token: string) {
  const found = functions[token];
  if (found === undefined) return undefined;
  const { properties, required } = found.inputs;
  const fields: Fields = Object.fromEntries(
    Object.entries(properties).map(([name, spec]) => [
      name,
      { type: fieldType(spec), required: required.includes(name), secret: spec.secret },
    ]),
  );
  return { fields, descriptions: properties, secret: found.outputs.properties.result.secret ?? false };
}

function fieldType({ type, $ref }: TypeSpec): Field["type"] {
  const own = typeNamed($ref)?.type ?? type;
  if (own === "array") return "strings";
  return own === "object" ? "map" : (own as Field["type"]);
}
