import * as pulumi from "@pulumi/pulumi";
import { type ComponentSpec, type TypeSpec, typeNamed } from "../protocol/schema.ts";
import { containsOutputs } from "./sdk.ts";

/**
 * Checks the arguments of a component. The compiler checks those of programs in TypeScript. Programs in other languages can send any values.
 *
 * @returns the problems, each in one sentence
 */
export function argumentProblems(args: pulumi.Inputs, { inputProperties, requiredInputs }: ComponentSpec): string[] {
  const names = Object.keys(inputProperties);
  const unknownNames = Object.keys(args).filter((name) => !names.includes(name));
  const missing = requiredInputs.filter((name) => args[name] === undefined);
  return [
    ...unknownNames.map((name) => `Unknown property "${name}". Known are: ${names.join(", ")}.`),
    ...missing.map((name) => `"${name}" is required: ${descriptionOf(inputProperties[name])}`),
    ...Object.entries(inputProperties)
      .filter(([name]) => args[name] !== undefined)
      .flatMap(([name, spec]) => {
        const problem = typeProblem(name, args[name], spec);
        return problem === undefined ? [] : [`${problem}: ${descriptionOf(spec)}`];
      }),
  ];
}

function descriptionOf(spec: TypeSpec | undefined): string {
  return (spec?.description ?? "").replaceAll(/\s+/g, " ");
}

function typeProblem(name: string, value: unknown, spec: TypeSpec): string | undefined {
  if (spec.plain && containsOutputs(value)) return `"${name}" cannot be an output of a resource or a secret`;
  // The resources that get outputs as inputs check them.
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
      return first(value.map((element, at) => typeProblem(`${name}[${at}]`, element, { ...items })));
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return `"${name}" must be an object`;
      const entries = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
      if (properties === undefined)
        return first(entries.map(([key, inner]) => typeProblem(`${name}.${key}`, inner, { ...additionalProperties })));
      const missing = required.find((key) => !entries.some(([own]) => own === key));
      if (missing !== undefined) return `"${name}.${missing}" is required`;
      return first(
        entries.map(([key, inner]) => {
          const property = properties[key];
          return property ? typeProblem(`${name}.${key}`, inner, property) : `Unknown property "${name}.${key}"`;
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
