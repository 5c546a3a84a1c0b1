/** An answer with a status of 400 or above. */
export class Refusal extends Error {
  readonly status: number;
  /** The product's code, such as `NotFound`; "" for an error that has only a message. */
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

/** A field that must be text, and not empty. @throws Refusal */
export function required(body: Body, field: string): string {
  const value = optional(body, field);
  if (value) return value;
  throw new Refusal(400, `Missing required parameter - ${field}`, "InvalidParam");
}

/** An optional field of text. Go's decoder refuses other types. Clients in Go send "" for an unset field. @throws Refusal */
export function optional(body: Body, field: string): string | undefined {
  return typed<string>(body, field, "string");
}

export function flag(body: Body, field: string): boolean | undefined {
  return typed<boolean>(body, field, "boolean");
}

export function number(body: Body, field: string): number | undefined {
  return typed<number>(body, field, "number");
}

/** An optional field with the text "true" or "false"; undefined if it is unset or empty. @throws Refusal */
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
