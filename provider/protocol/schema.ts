import type { Field, Fields } from "./fields.ts";
import type { AnyResource } from "./resource.ts";

/** Generates the package schema from the fields of the provider's configuration and of the resources. @see https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/ */
export function packageSchema(
  name: string,
  version: string,
  configuration: Fields,
  resources: readonly AnyResource[],
): string {
  const types: Record<string, unknown> = {};
  const property = (owner: string, key: string, field: Field): object => {
    const base = {
      description: field.description,
      ...(field.secret ? { secret: true } : {}),
      ...(field.default === undefined ? {} : { default: field.default }),
    };
    if (field.type === "strings") return { ...base, type: "array", items: { type: "string" } };
    const anything = { type: "object", additionalProperties: { $ref: "pulumi.json#/Any" } };
    if (field.type === "map") return { ...base, ...anything };
    if (field.type !== "objects") return { ...base, type: field.type };
    if (field.fields === undefined) return { ...base, type: "array", items: anything };
    const type = `${owner}${capital(singular(key))}`;
    types[type] = { type: "object", ...shape(type, field.fields) };
    return { ...base, type: "array", items: { $ref: `#/types/${type}` } };
  };
  const shape = (owner: string, fields: Fields) => ({
    properties: Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, property(owner, key, field)])),
    required: required(fields),
  });
  const entries = resources.map((resource) => {
    const inputs = shape(resource.type, resource.inputs);
    const outputs = shape(resource.type, resource.outputs);
    return [
      resource.type,
      {
        description: resource.description,
        inputProperties: inputs.properties,
        requiredInputs: inputs.required,
        properties: outputs.properties,
        required: Object.keys(resource.outputs),
      },
    ];
  });
  const { properties: variables } = shape(`${name}:index:Provider`, configuration);
  const provider = {
    description: "The deployer: which cluster resources are created in, and with which credentials.",
    inputProperties: variables,
  };
  return JSON.stringify({
    name,
    version,
    config: { variables },
    provider,
    resources: Object.fromEntries(entries),
    types,
  });
}

function required(fields: Fields): string[] {
  return Object.entries(fields)
    .filter(([, field]) => field.required)
    .map(([key]) => key);
}

function singular(key: string): string {
  return key.replace(/s$/, "");
}

function capital(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1);
}
