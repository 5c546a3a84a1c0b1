import * as pulumi from "@pulumi/pulumi";
import { type ComponentSpec, type TypeSpec, typeNamed } from "../protocol/schema.ts";
import { containsOutputs } from "./sdk.ts";

/**
 * What is wrong with a component's arguments. In TypeScript the compiler checks them; programs in other languages may send anything.
 *
 * @returns one sentence for each problem
 */
export function argumentProblems(args: pulumi.Inputs, { inputProperties, requiredInputs }: ComponentSpec): string[] {
  const names = Object.keys(inputProperties);
  const stray = Object.keys(args).filter((name) => !names.includes(name));
  const missing = requiredInputs.filter((name) => args[name] === undefined);
  return [
    ...stray.map((name) => `Unknown property "${name}". Known are: ${names.join(", ")}.`),
    ...missing.map((name) => `"${name}" is required: ${meaningOf(inputProperties[name])}`),
    ...Object.entries(inputProperties)
      .filter(([name]) => args[name] !== undefined)
      .flatMap(([name, spec]) => {
        const problem = misfit(name, args[name], spec);
        return problem === undefined ? [] : [`${problem}: ${meaningOf(spec)}`];
      }),
  ];
}

function meaningOf(spec: TypeSpec | undefined): string {
  return (spec?.description ?? "").replaceAll(/\s+/g, " ");
}

function misfit(name: string, value: unknown, spec: TypeSpec): string | undefined {
  if (spec.plain && containsOutputs(value)) return `"${name}" cannot be an output of a resource or a secret`;
  // Outputs are checked by the resources that they become inputs of.
  if (pulumi.Output.isInstance(value) || spec.oneOf !== undefined) return undefined;
  const named = typeNamed(spec.$ref);
  if (spec.$ref?.startsWith("#/resources/")) {
    return pulumi.Resource.isInstance(value) ? undefined : `"${name}" must be a ${spec.$ref.split(":").at(-1)}`;
  }
  const { type, properties, required = [], enum: values, items, additionalProperties } = { ...spec, ...named };
  if (values !== undefined) {
    const known = values.map((one) => one.value);
    return known.includes(value as string) ? undefined : `"${name}" must be one of ${known.join(", ")}`;
  }
  switch (type) {
    case "integer":
      return Number.isSafeInteger(value) ? undefined : `"${name}" must be a whole number`;
    case "string":
    case "boolean":
      return typeof value === type ? undefined : `"${name}" must be a ${type}`;
    case "array":
      if (!Array.isArray(value)) return `"${name}" must be a list`;
      return first(value.map((element, at) => misfit(`${name}[${at}]`, element, { ...items })));
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return `"${name}" must be an object`;
      const entries = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
      if (properties === undefined)
        return first(entries.map(([key, inner]) => misfit(`${name}.${key}`, inner, { ...additionalProperties })));
      const missing = required.find((key) => !entries.some(([own]) => own === key));
      if (missing !== undefined) return `"${name}.${missing}" is required`;
      return first(
        entries.map(([key, inner]) => {
          const property = properties[key];
          return property ? misfit(`${name}.${key}`, inner, property) : `Unknown property "${name}.${key}"`;
        }),
      );
    }
    default:
      return undefined;
  }
}

function first(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}
