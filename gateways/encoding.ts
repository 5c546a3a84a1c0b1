import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { isCertificate, isEncryptedKey, looksLikePem, pemBlocks } from "../kubernetes/pem.ts";
import { rsaProblem } from "../verifier/keys/rsa.ts";
import { GatewayInputError, type TokenAccess } from "./access.ts";

declare const encoding: unique symbol;
type Encoded<Name extends string> = string & { readonly [encoding]: Name };

/** PEM blocks. Each line ends with one newline. */
export type Pem = Encoded<"PEM">;
/** Base64 of PEM in one line ("PEM format and base64 encoding" in the documents of Akeyless). */
export type Base64Pem = Encoded<"base64 of PEM">;
/** A JWT, without further encoding. */
export type Jwt = Encoded<"JWT">;

/**
 * The PEM blocks of a kind. The input may have any line ends, indentation and surrounding text. It may also be base64 of such text, in one or
 * several lines.
 */
function blocksOf(field: string, value: string, kind: RegExp, what: string): string[] {
  const blocks = pemBlocks(pemText(field, value)).filter(({ label }) => kind.test(label));
  if (blocks.length === 0) {
    throw new GatewayInputError(
      field,
      `holds no ${what} in PEM (-----BEGIN … to -----END …-----). Check that it was not cut off`,
    );
  }
  return blocks.map(({ text }) => text);
}

function pemText(field: string, value: string): string {
  if (looksLikePem(value)) return value;
  const compact = value.replaceAll(/\s/g, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) throw new GatewayInputError(field, "is neither PEM nor base64");
  const decoded = Buffer.from(compact, "base64").toString("utf8");
  if (looksLikePem(decoded)) return decoded;
  throw new GatewayInputError(field, "is base64, but not of PEM. Check that it was not encoded twice or cut off");
}

/** The certificates, in order. Other blocks, such as a private key, are omitted. @throws GatewayInputError */
export function certificatesPem(field: string, value: string): Pem {
  const blocks = blocksOf(field, value, /^CERTIFICATE$/, "certificate");
  if (!blocks.every(isCertificate)) throw new GatewayInputError(field, "holds a certificate that cannot be read");
  return blocks.join("") as Pem;
}

/** The only private key in the input, in its own format: PKCS #8, PKCS #1 or SEC 1. @throws GatewayInputError, also if it is encrypted */
export function privateKeyPem(field: string, value: string): Pem {
  return readKey(field, value).pem;
}

function readKey(field: string, value: string): { readonly pem: Pem; readonly key: KeyObject } {
  const [pem = "", ...others] = blocksOf(field, value, /PRIVATE KEY$/, "private key");
  if (others.length > 0) throw new GatewayInputError(field, `holds ${others.length + 1} private keys`);
  const key = parseKey(field, pem);
  const problem = key.asymmetricKeyType === "rsa" ? rsaProblem(createPublicKey(key)) : undefined;
  if (problem !== undefined) throw new GatewayInputError(field, `holds a private key that ${problem}`);
  return { pem: pem as Pem, key };
}

function parseKey(field: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    const why = isEncryptedKey(pem) ? "is encrypted" : "cannot be read";
    throw new GatewayInputError(field, `holds a private key that ${why}`);
  }
}

/** A certificate with its chain, and its private key. @throws GatewayInputError, also if the key belongs to another certificate */
export function keyPairPem(
  fields: { readonly certificate: string; readonly key: string },
  pair: { readonly certificatePem: string; readonly privateKeyPem: string },
): { readonly certificate: Pem; readonly key: Pem } {
  const certificate = certificatesPem(fields.certificate, pair.certificatePem);
  const { pem, key } = readKey(fields.key, pair.privateKeyPem);
  if (new X509Certificate(certificate).checkPrivateKey(key)) return { certificate, key: pem };
  throw new GatewayInputError(fields.key, `is not the private key of the certificate in ${fields.certificate}`);
}

/** The RSA private key of an auth method, with which a gateway signs its requests. @throws GatewayInputError */
export function signingKey(field: string, value: string): Base64Pem {
  const { pem, key } = readKey(field, value);
  if (key.asymmetricKeyType === "rsa") return base64(pem);
  throw new GatewayInputError(field, "is not an RSA key. The key of an auth method is one");
}

export function base64(pem: Pem): Base64Pem {
  return Buffer.from(pem, "utf8").toString("base64") as Base64Pem;
}

/** A JWT without surrounding white space. @throws GatewayInputError */
export function rawJwt(field: string, token: string): Jwt {
  const trimmed = token.trim();
  if (isJwt(trimmed)) return trimmed as Jwt;
  if (isJwt(Buffer.from(trimmed, "base64").toString("utf8"))) {
    throw new GatewayInputError(field, "is base64 of a JWT. Decode the data.token of a Secret once");
  }
  throw new GatewayInputError(
    field,
    "is not a JWT (three parts of base64url, joined by dots). Check that it was not cut off",
  );
}

function isJwt(text: string): boolean {
  const [, ...parts] = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(text) ?? [];
  // Base64 of whole bytes never has 4n + 1 characters.
  return parts.length === 3 && parts.every((part) => part.length % 4 !== 1) && parts.slice(0, 2).every(isJson);
}

function isJson(part: string): boolean {
  try {
    return typeof JSON.parse(Buffer.from(part, "base64url").toString("utf8")) === "object";
  } catch {
    return false;
  }
}

/** The https URL of an API server, without a trailing slash. It may have a path. @throws GatewayInputError */
export function apiServer(field: string, host: string): string {
  const url = URL.canParse(host.trim()) ? new URL(host.trim()) : undefined;
  if (url?.protocol === "https:" && !url.username && !url.password && !url.search && !url.hash) {
    return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  }
  throw new GatewayInputError(field, "is not an https URL without credentials, query and fragment (https://HOST:PORT)");
}

/** An issuer without surrounding white space. Issuers are compared byte by byte, and need not be URLs. @throws GatewayInputError */
export function rawIssuer(field: string, issuer: string): string {
  const trimmed = issuer.trim();
  if (!/[\s\p{C}"]/u.test(trimmed)) return trimmed;
  throw new GatewayInputError(field, "is not an issuer: it contains white space, control characters or quotes");
}

/**
 * The reviewer's JWT, for products that accept no other credential. The type requires the token, but access that was read from JSON may lack
 * it.
 *
 * @throws GatewayInputError that names the field
 */
export function requiredToken(product: string, field: string, access: Partial<TokenAccess>): Jwt {
  if (access.token === undefined) {
    throw new GatewayInputError(field, `is absent, and ${product} accepts no client certificate. Use the token flow`);
  }
  return rawJwt(field, access.token);
}
