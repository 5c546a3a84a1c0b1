/** An answer of 400 or above, in the product's form: `{"error": …}`. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Body = Readonly<Record<string, unknown>>;

/** A field that must be there as text that is not empty. */
export function required(body: Body, field: string): string {
  const value = optional(body, field);
  if (value) return value;
  throw new Refusal(400, `missing required field: ${field}`);
}

/** A field that is text if it is there: Go's decoder takes no other type for it. */
export function optional(body: Body, field: string): string | undefined {
  return typed<string>(body, field, "string");
}

export function flag(body: Body, field: string): boolean | undefined {
  return typed<boolean>(body, field, "boolean");
}

export function number(body: Body, field: string): number | undefined {
  return typed<number>(body, field, "number");
}

function typed<T>(body: Body, field: string, type: string): T | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === type) return value as T;
  throw new Refusal(400, `json: cannot unmarshal ${typeof value} into field ${field} of type ${type}`);
}

export function strings(body: Body, field: string): readonly string[] | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value as string[];
  throw new Refusal(400, `json: cannot unmarshal ${typeof value} into field ${field} of type []string`);
}
