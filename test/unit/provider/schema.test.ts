/** The schema, which follows from the classes of components/, and the plugin's own tables say the same of every property. */
import { describe, expect, test } from "vitest";
import { deployerFields } from "../../../provider/cluster/deployer.ts";
import type { Field, Fields } from "../../../provider/protocol/fields.ts";
import { resources } from "../../../provider/resources.ts";
import schema from "../../../provider/schema.json" with { type: "json" };

interface Property {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly description: string;
  readonly secret?: boolean;
}

interface Spec {
  readonly isComponent?: boolean;
  readonly inputProperties: Readonly<Record<string, Property>>;
  readonly requiredInputs: readonly string[];
  readonly properties: Readonly<Record<string, Property>>;
}

const types: Readonly<Record<string, { readonly type: string }>> = schema.types;
const specs = schema.resources as unknown as Readonly<Record<string, Spec>>;

/** A property's type as the plugin's tables have it; several where the schema cannot tell them apart. */
function kinds({ type, $ref, items }: Property): Field["type"][] {
  const own = $ref ? types[$ref.replace("#/types/", "")]?.type : type;
  if (own === "object") return ["map"];
  if (own !== "array") return [own as Field["type"]];
  const [element] = items ? kinds(items) : [];
  if (element === "string") return ["strings", "days"];
  return element === "integer" ? ["days"] : ["objects"];
}

function compare(properties: Readonly<Record<string, Property>>, fields: Fields): void {
  for (const [name, property] of Object.entries(properties)) {
    expect(kinds(property), name).toContain(fields[name]?.type);
    expect(property.secret ?? false, `${name} is secret`).toBe(fields[name]?.secret ?? false);
  }
}

function compareInputs(properties: Spec["inputProperties"], required: readonly string[], fields: Fields): void {
  expect(Object.keys(properties).sort()).toEqual(Object.keys(fields).sort());
  compare(properties, fields);
  for (const [name, field] of Object.entries(fields)) {
    if (field.required) expect(required, name).toContain(name);
    if (field.default === undefined || required.includes(name)) continue;
    expect(properties[name]?.description).toContain(`Default: ${JSON.stringify(field.default)}`);
  }
}

test("every class that is no component is a type of the plugin", () => {
  const classes = Object.keys(specs).filter((type) => !specs[type]?.isComponent);
  expect(classes.sort()).toEqual(resources.map(({ type }) => type).sort());
});

describe.each(resources.map((resource) => [resource.type, resource] as const))("%s", (type, resource) => {
  const { inputProperties = {}, requiredInputs = [], properties = {} } = specs[type] ?? {};

  test("has the inputs of its class", () => {
    compareInputs(inputProperties, requiredInputs, resource.inputs);
  });

  test("has the outputs of its class", () => {
    compare(properties, resource.outputs);
  });
});

test("the provider has the settings of its class", () => {
  compareInputs(schema.provider.inputProperties, [], deployerFields);
});
