import { hasUnknown, unknown, type Value, type ValueObject } from "./wire.ts";

/** One property, for its check. Its description is in the schema, from the doc comments of the resource's class. */
export interface Field {
  /** `days` is a list of whole numbers, as numbers or as strings. It is read as strings, as Akeyless's API has them. */
  readonly type: "string" | "boolean" | "integer" | "strings" | "days" | "objects" | "map";
  /** Fields of the elements, for "objects" (a list of objects). @default any fields */
  readonly fields?: Fields;
  readonly required?: boolean;
  /** Whether the value is encrypted in the state. */
  readonly secret?: boolean;
  readonly default?: string | boolean | number;
}

export type Fields = Readonly<Record<string, Field>>;

/** Descriptions of properties, by name. */
export type Descriptions = Readonly<Record<string, { readonly description: string }>>;

export interface CheckFailure {
  /** Name of the property; "" for the resource as a whole. */
  readonly property: string;
  readonly reason: string;
}

/** Inputs. Some may be unknown in previews. */
export interface Inputs<I> {
  /** Known inputs, with defaults. Lists hold the known elements. */
  readonly known: Partial<I>;
  /** Names of properties that are unknown, wholly or in part. */
  readonly unknown: ReadonlySet<string>;
}

/** Reads values by their fields. A value of another type is left out and reported as a failure, with the description of its property. */
export function readInputs<I>(
  values: ValueObject,
  fields: Fields,
  descriptions: Descriptions = {},
): Inputs<I> & { failures: readonly CheckFailure[] } {
  const known: Record<string, Value> = {};
  const notKnown = new Set<string>();
  const failures: CheckFailure[] = [];
  for (const name of Object.keys(values)) {
    if (!(name in fields) && !name.startsWith("__")) {
      failures.push({
        property: name,
        reason: `Unknown property "${name}". Known are: ${Object.keys(fields).join(", ")}.`,
      });
    }
  }
  for (const [name, field] of Object.entries(fields)) {
    const value = values[name] ?? field.default;
    const fail = (reason: string) =>
      failures.push({ property: name, reason: withDescription(reason, descriptions[name]) });
    if (hasUnknown(value)) notKnown.add(name);
    if (value === undefined || value === null) {
      if (field.required) fail(`"${name}" is required`);
    } else if (value !== unknown) {
      const reason = typeFailure(name, value, field);
      if (reason !== undefined) fail(reason);
      else known[name] = field.type === "days" ? texts(withoutUnknown(value)) : withoutUnknown(value);
    }
  }
  return { known: known as Partial<I>, unknown: notKnown, failures };
}

function withDescription(reason: string, property: Descriptions[string] | undefined): string {
  return property === undefined ? `${reason}.` : `${reason}: ${property.description.replaceAll(/\s+/g, " ")}`;
}

function texts(days: Value): Value {
  return (days as readonly Value[]).map(String);
}

/** The known elements of a list or map; other values as they are. */
function withoutUnknown(value: Value): Value {
  if (Array.isArray(value)) return value.filter((element: Value) => !hasUnknown(element));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => !hasUnknown(inner)));
}

function typeFailure(name: string, value: Value, field: Field): string | undefined {
  const expected = (what: string) => `"${name}" must be ${what}`;
  switch (field.type) {
    case "integer":
      return Number.isSafeInteger(value) ? undefined : expected("a whole number");
    case "strings":
      return Array.isArray(value) && value.every((element: Value) => element === unknown || typeof element === "string")
        ? undefined
        : expected("a list of strings");
    case "days":
      return Array.isArray(value) && value.every((day: Value) => typeof day === "string" || Number.isSafeInteger(day))
        ? undefined
        : expected("a list of days");
    case "map":
      return typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : expected("an object");
    case "objects":
      if (!Array.isArray(value)) return expected("a list");
      return value
        .map((element: Value, index: number) => elementFailure(`${name}[${index}]`, element, field.fields))
        .find((reason) => reason !== undefined);
    default:
      return typeof value === field.type ? undefined : expected(`a ${field.type}`);
  }
}

function elementFailure(name: string, element: Value, fields: Fields | undefined): string | undefined {
  if (element === unknown) return undefined;
  if (typeof element !== "object" || element === null || Array.isArray(element)) return `"${name}" must be an object`;
  if (fields === undefined) return undefined;
  const object = element as ValueObject;
  const unknownKey = Object.keys(object).find((key) => !(key in fields));
  if (unknownKey !== undefined)
    return `Unknown property "${name}.${unknownKey}", known are ${Object.keys(fields).join(", ")}`;
  for (const [key, field] of Object.entries(fields)) {
    const value = object[key];
    if (value === undefined || value === null) {
      if (field.required) return `"${name}.${key}" is required`;
    } else if (value !== unknown) {
      const reason = typeFailure(`${name}.${key}`, value, field);
      if (reason !== undefined) return reason;
    }
  }
  return undefined;
}

/** Whether two values are equal. The order of keys does not matter. */
export function same(left: unknown, right: unknown): boolean {
  return canonical(left) === canonical(right);
}

function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, inner: unknown) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)))
        : inner,
    ) ?? ""
  );
}
