/** Checks the encoding of a token before it is hashed, decoded or parsed. A token has one valid encoding. */
import { Refusal } from "../errors.ts";

/** Longest accepted token, in characters. Post-quantum signatures have up to 6.2 kB. */
export const maxTokenLength = 8192;

const authorizationLength = "authorization".length;
const scheme = /^bearer(?: +|$)/i;
const compactJws = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * Returns the bearer token from the raw headers of a request (name, value, name, value, …).
 *
 * @throws Refusal no_token; malformed_request for two Authorization headers (RFC 9110, section 5.3) and for the bearer scheme without a
 *   token
 */
export function bearerToken(rawHeaders: readonly string[]): string {
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length !== authorizationLength || name.toLowerCase() !== "authorization") continue;
    if (value !== undefined) throw new Refusal("malformed_request");
    value = rawHeaders[at + 1] as string;
  }
  if (value === undefined) throw new Refusal("no_token");
  // The usual form first. The scheme is case-insensitive (RFC 9110, section 11.1).
  if (value.startsWith("Bearer ") && value.charCodeAt(7) !== 0x20) return value.slice(7);
  const found = scheme.exec(value);
  if (!found) throw new Refusal("no_token");
  const token = value.slice(found[0].length);
  if (token === "") throw new Refusal("malformed_request");
  return token;
}

/**
 * Checks that a token has three parts of base64url without padding, and that unused bits of their last characters are zero (RFC 4648,
 * section 3.5). Decoders ignore these bits, so a token would have several encodings.
 *
 * @throws Refusal malformed_token
 */
export function checkGrammar(token: string): void {
  if (token.length > maxTokenLength || !compactJws.test(token)) throw new Refusal("malformed_token");
  const first = token.indexOf(".");
  const second = token.lastIndexOf(".");
  const isCanonical =
    endsCanonically(token, 0, first) &&
    endsCanonically(token, first + 1, second) &&
    endsCanonically(token, second + 1, token.length);
  if (!isCanonical) throw new Refusal("malformed_token");
}

const twoUnused = "AEIMQUYcgkosw048";
const fourUnused = "AQgw";

function endsCanonically(token: string, start: number, end: number): boolean {
  const last = token[end - 1] as string;
  switch ((end - start) % 4) {
    case 0:
      return true;
    case 2:
      return fourUnused.includes(last);
    case 3:
      return twoUnused.includes(last);
    default:
      return false;
  }
}
