/** An answer of 400 or above. */
export class Refusal extends Error {
  readonly status: number;
  /** The product's code, such as `NotFound`; "" for an error that has only words. */
  readonly code: string;

  constructor(status: number, message: string, code = codes[status] ?? "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const codes: Readonly<Record<number, string | undefined>> = {
  401: "UnauthorizedAccess",
  403: "Forbidden",
  404: "NotFound",
  409: "AlreadyExists",
};

const phrases: Readonly<Record<number, string | undefined>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
};

/** The body of an error, in the product's forms. */
export function errorBody(command: string, { status, code, message }: Refusal, caller: string): object {
  if (code === "InvalidParam") return { error: code, message };
  const phrase = phrases[status];
  if (code === "" || phrase === undefined) return { error: message };
  const said = `account id: acc-0123456789ab, access id: ${caller}. ${message}`;
  return {
    error: `failed to run ${command}: Desc: ${command}. Status ${status} ${phrase}, Error: ${code}. Message: ${said}`,
  };
}

export type Body = Readonly<Record<string, unknown>>;

/** A field that must be there as text that is not empty. */
export function required(body: Body, field: string): string {
  const value = optional(body, field);
  if (value) return value;
  throw new Refusal(400, `Missing required parameter - ${field}`, "InvalidParam");
}

/** A field that is text if it is there: Go's decoder takes no other type for it. Go clients send "" for what is unset. */
export function optional(body: Body, field: string): string | undefined {
  return typed<string>(body, field, "string");
}

export function flag(body: Body, field: string): boolean | undefined {
  return typed<boolean>(body, field, "boolean");
}

export function number(body: Body, field: string): number | undefined {
  return typed<number>(body, field, "number");
}

/** Text that is true or false; undefined where it is unset. */
export function textFlag(body: Body, field: string): boolean | undefined {
  const value = optional(body, field);
  if (!value) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw new Refusal(400, `${field}: must be true or false`, "InvalidParam");
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
