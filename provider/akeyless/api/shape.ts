/** The type of a field: a primitive, a list of one type, or an object. */
export type FieldType = "string" | "number" | "boolean" | readonly [FieldType] | Shape;

/** The fields that are read from an object, with their types. The field `*` stands for every name. Answers may have other fields. */
export interface Shape {
  readonly [field: string]: FieldType;
}

/** A value of a type. Every field is optional, since Go omits empty fields. */
export type Shaped<T> = T extends "string"
  ? string
  : T extends "number"
    ? number
    : T extends "boolean"
      ? boolean
      : T extends readonly [infer Element]
        ? readonly Shaped<Element>[]
        : T extends { readonly "*": infer Value }
          ? Readonly<Record<string, Shaped<Value>>>
          : { readonly [K in keyof T]?: Shaped<T[K]> | null };

/** Says which field of a value has another type, without its content: "rules.path_rules is not a list". Undefined if every field fits. */
export function typeMismatch(value: unknown, type: FieldType, path = ""): string | undefined {
  if (typeof type === "string") return typeof value === type ? undefined : `${path} is not a ${type}`;
  if (isList(type)) {
    if (!Array.isArray(value)) return `${path} is not a list`;
    return firstOf(value.map((element) => () => typeMismatch(element, type[0], `${path}[]`)));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return `${path} is not an object`;
  const within = (name: string) => (path === "" ? name : `${path}.${name}`);
  const { "*": each } = type;
  if (each !== undefined) return firstOf(Object.values(value).map((one) => () => typeMismatch(one, each, within("*"))));
  const fields = value as Readonly<Record<string, unknown>>;
  return firstOf(
    Object.entries(type).map(([name, inner]) => () => {
      const found = Object.hasOwn(fields, name) ? fields[name] : undefined;
      return found === undefined || found === null ? undefined : typeMismatch(found, inner, within(name));
    }),
  );
}

function isList(type: readonly [FieldType] | Shape): type is readonly [FieldType] {
  return Array.isArray(type);
}

function firstOf(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const found = check();
    if (found !== undefined) return found;
  }
  return undefined;
}
