/** The one spelling that a token may have: decided on the characters, before anything is hashed, decoded or parsed. */
import { Refusal } from "../errors.ts";

/** Longest accepted token, in characters: tokens with post-quantum signatures have up to 6.2 kB before their claims. */
export const maxTokenLength = 8192;

const authorizationLength = "authorization".length;
const scheme = /^bearer(?: +|$)/i;
const compactJws = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/**
 * The bearer token of a request, as it came, from its raw header list (name, value, name, value, …).
 *
 * @throws Refusal no_token; malformed_request for two Authorization headers (RFC 9110 §5.3: a field with one value) and for
 *   a bearer scheme without a token
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
  // The common spelling first; the scheme's case is free (RFC 9110 §11.1).
  if (value.startsWith("Bearer ") && value.charCodeAt(7) !== 0x20) return value.slice(7);
  const found = scheme.exec(value);
  if (!found) throw new Refusal("no_token");
  const token = value.slice(found[0].length);
  if (token === "") throw new Refusal("malformed_request");
  return token;
}

/**
 * Three parts of base64url without padding, whose last characters have no unused bits set (RFC 4648 §3.5): decoders ignore those,
 * and one token would have many spellings.
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
