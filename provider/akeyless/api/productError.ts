/** An error as the product states it. */
export interface ProductError {
  /** The product's own code, such as `UnauthorizedAccess`, `AlreadyExists`, `InvalidParam`; undefined if none is named. */
  readonly code?: string;
  /** One line of at most 500 characters, without the secrets of the request. "" if the answer has none. */
  readonly message: string;
  /** Whether the answer has the `error` field that every error of the product has. */
  readonly isFromAkeyless: boolean;
}

/**
 * Reads the body of an error. The REST API has three forms:
 *
 * - `{"error": "… Status 401 Unauthorized, Error: UnauthorizedAccess. Message: …"}` for what the service refused,
 * - `{"error": "InvalidParam", "message": "Missing required parameter - AccessId"}`,
 * - `{"error": "command is not available on public gateway 'gateway-create-producer-aws'"}`.
 *
 * @returns undefined for a body that is not JSON
 */
export function productError(text: string, secrets: readonly string[]): ProductError | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { error, message } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const parts = [error, message].filter((part) => typeof part === "string" && part !== "") as string[];
  let words = parts.join(": ");
  for (const secret of secrets) words = words.replaceAll(secret, "[secret]");
  return {
    code: codeOf(error),
    message: words.replaceAll(/\s+/g, " ").trim().slice(0, 500),
    isFromAkeyless: typeof error === "string",
  };
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== "string") return undefined;
  if (/^([A-Z][a-z]+){2,}$/.test(error)) return error;
  return /\bError: ([A-Z][A-Za-z]+)\b/.exec(error)?.[1];
}
