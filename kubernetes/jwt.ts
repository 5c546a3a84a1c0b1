/** Claims of a JSON Web Token. */
export interface Claims {
  readonly iss?: unknown;
  readonly sub?: unknown;
  readonly [claim: string]: unknown;
}

/** Reads the claims of a JWT without verifying it. Undefined if the text is not a JWT. */
export function claims(token: string): Claims | undefined {
  const parts = token.split(".");
  try {
    const parsed: unknown = JSON.parse(Buffer.from(parts[1] ?? "", "base64url").toString("utf8"));
    return parts.length === 3 && typeof parsed === "object" && parsed !== null ? (parsed as Claims) : undefined;
  } catch {
    return undefined;
  }
}
