import { hasUnknown, unknown, type Value, type ValueObject } from "./wire.ts";

/** How one property looks. Its meaning is in the schema, from the doc comments of the resource's class. */
export interface Field {
  /** `days` is a list of whole numbers, as numbers or as texts. It is read as texts, which Akeyless has. */
  readonly type: "string" | "boolean" | "integer" | "strings" | "days" | "objects" | "map";
  /** Of the elements, for "objects" (a list of them). Without it they have any content. */
  readonly fields?: Fields;
  readonly required?: boolean;
  /** Encrypted in state, never in a message. */
  readonly secret?: boolean;
  readonly default?: string | boolean | number;
}

export type Fields = Readonly<Record<string, Field>>;

/** The meanings of properties, by name. */
export type Meanings = Readonly<Record<string, { readonly description: string }>>;

export interface CheckFailure {
  /** Name of the property; "" for the resource as a whole. */
  readonly property: string;
  readonly reason: string;
}

/** Inputs of which some may not be known yet, in previews. */
export interface Inputs<I> {
  /** What is known, defaults filled in. Lists hold the elements that are known. */
  readonly known: Partial<I>;
  /** Names of the properties that are not known, or not wholly. */
  readonly unknown: ReadonlySet<string>;
}

/** Reads values by their fields. What does not fit is left out, and said, with the property's meaning. */
export function readInputs<I>(
  values: ValueObject,
  fields: Fields,
  meanings: Meanings = {},
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
    const fail = (reason: string) => failures.push({ property: name, reason: withMeaning(reason, meanings[name]) });
    if (hasUnknown(value)) notKnown.add(name);
    if (value === undefined || value === null) {
      if (field.required) fail(`"${name}" is required`);
    } else if (value !== unknown) {
      const reason = misfit(name, value, field);
      if (reason !== undefined) fail(reason);
      else known[name] = field.type === "days" ? texts(withoutUnknown(value)) : withoutUnknown(value);
    }
  }
  return { known: known as Partial<I>, unknown: notKnown, failures };
}

function withMeaning(reason: string, meaning: Meanings[string] | undefined): string {
  return meaning === undefined ? `${reason}.` : `${reason}: ${meaning.description.replaceAll(/\s+/g, " ")}`;
}

function texts(days: Value): Value {
  return (days as readonly Value[]).map(String);
}

/** Of a list or a map, what is known of it. */
function withoutUnknown(value: Value): Value {
  if (Array.isArray(value)) return value.filter((element: Value) => !hasUnknown(element));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => !hasUnknown(inner)));
}

function misfit(name: string, value: Value, field: Field): string | undefined {
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
        .map((element: Value, index: number) => elementMisfit(`${name}[${index}]`, element, field.fields))
        .find((reason) => reason !== undefined);
    default:
      return typeof value === field.type ? undefined : expected(`a ${field.type}`);
  }
}

function elementMisfit(name: string, element: Value, fields: Fields | undefined): string | undefined {
  if (element === unknown) return undefined;
  if (typeof element !== "object" || element === null || Array.isArray(element)) return `"${name}" must be an object`;
  if (fields === undefined) return undefined;
  const object = element as ValueObject;
  const stray = Object.keys(object).find((key) => !(key in fields));
  if (stray !== undefined) return `Unknown property "${name}.${stray}", known are ${Object.keys(fields).join(", ")}`;
  for (const [key, field] of Object.entries(fields)) {
    const value = object[key];
    if (value === undefined || value === null) {
      if (field.required) return `"${name}.${key}" is required`;
    } else if (value !== unknown) {
      const reason = misfit(`${name}.${key}`, value, field);
      if (reason !== undefined) return reason;
    }
  }
  return undefined;
}

/** Whether two values are equal, objects by content whatever the order of their keys. */
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
