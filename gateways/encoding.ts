import { GatewayInputError, type TokenAccess } from "./access.ts";

const pemBlock = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** The blocks of a PEM text, text around them left out, lines ended by one newline each, the last one too. */
export function cleanPem(field: string, pem: string): string {
  // Copied out of YAML, lines may be indented.
  const blocks = pem.replaceAll(/^[ \t]+|[ \t\r]+$/gm, "").match(pemBlock);
  if (!blocks) throw new GatewayInputError(field, "is not PEM (-----BEGIN …-----)");
  return blocks.map((block) => `${block.trim()}\n`).join("");
}

/** PEM as base64 in one line: what Akeyless calls "PEM format and base64 encoding". */
export function base64Pem(field: string, pem: string): string {
  return Buffer.from(cleanPem(field, pem), "utf8").toString("base64");
}

/**
 * A key or certificate that may have come as PEM, as base64 of PEM, or as base64 that a terminal or `base64` wrapped, as
 * base64 of PEM in one line.
 */
export function asBase64Pem(field: string, value: string): string {
  if (value.includes("-----BEGIN ")) return base64Pem(field, value);
  const compact = value.replaceAll(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) throw new GatewayInputError(field, "is neither PEM nor base64");
  const decoded = Buffer.from(compact, "base64").toString("utf8");
  if (decoded.includes("-----BEGIN ")) return base64Pem(field, decoded);
  throw new GatewayInputError(field, "is base64, but not of PEM (was it encoded twice, or cut off?)");
}

/** A JWT as it is: three parts, nothing around them. */
export function rawJwt(field: string, token: string): string {
  const trimmed = token.trim();
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) return trimmed;
  const decoded = Buffer.from(trimmed, "base64").toString("utf8");
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(decoded)) {
    throw new GatewayInputError(field, "is base64 of a JWT; a Secret's data.token has to be decoded once");
  }
  throw new GatewayInputError(field, "is not a JWT (three parts, joined by dots)");
}

/**
 * The reviewer's JWT, for products that know no other credential. Types say so already; access that came as JSON has none.
 *
 * @throws GatewayInputError naming the field
 */
export function tokenOf(product: string, field: string, access: Partial<TokenAccess>): string {
  if (access.token === undefined) {
    throw new GatewayInputError(
      field,
      `there is no token, and ${product} takes no client certificate: use the token flow`,
    );
  }
  return rawJwt(field, access.token);
}
