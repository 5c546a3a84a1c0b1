/** Decodes a token without verifying it. */
import { isUtf8 } from "node:buffer";
import { Refusal } from "../errors.ts";

export interface Decoded {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Supported algorithms. All are asymmetric. */
export const algorithms: ReadonlySet<string> = new Set([
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"],
  ...["EdDSA", "Ed25519", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"],
]);

/** Parameters that contain or name a key of the sender, or change what is signed. ServiceAccount tokens have none of them. */
const refusedParameters = ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "p2c", "p2s"];

/**
 * Returns header and payload of a token that passed `checkGrammar`.
 *
 * @throws Refusal malformed_token, unsupported_header, unsupported_algorithm
 */
export function decode(token: string): Decoded {
  const header = decodeHeader(token);
  return { header, payload: parseObject(token.slice(token.indexOf(".") + 1, token.lastIndexOf("."))) };
}

/** Issuer and key id as the token claims them, unverified, for the log. */
export function claimedOrigin(token: string): { readonly iss?: string; readonly kid?: string } {
  try {
    const { header, payload } = decode(token);
    return { iss: printable(payload.iss), kid: printable(header.kid) };
  } catch {
    return {};
  }
}

function printable(value: unknown): string | undefined {
  return typeof value === "string" ? value.slice(0, 256).replace(/[^\x20-\x7e]/g, "?") : undefined;
}

/** Decodes and checks the header. */
export function decodeHeader(token: string): Decoded["header"] {
  const header = parseObject(token.slice(0, token.indexOf(".")));
  checkHeader(header);
  return header;
}

function checkHeader(header: Readonly<Record<string, unknown>>): void {
  if (typeof header.alg !== "string" || !algorithms.has(header.alg)) throw new Refusal("unsupported_algorithm");
  const { kid, typ } = header;
  const isPlain = typ === undefined || (typeof typ === "string" && typ.toUpperCase() === "JWT");
  const isKid = kid === undefined || (typeof kid === "string" && kid.length > 0 && kid.length <= 1024);
  if (!isPlain || !isKid || refusedParameters.some((name) => Object.hasOwn(header, name))) {
    throw new Refusal("unsupported_header");
  }
}

function parseObject(part: string): Record<string, unknown> {
  const bytes = Buffer.from(part, "base64url");
  // Decoding would replace invalid UTF-8, so that different bytes give the same text.
  if (!isUtf8(bytes)) throw new Refusal("malformed_token");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new Refusal("malformed_token");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refusal("malformed_token");
  return value as Record<string, unknown>;
}
