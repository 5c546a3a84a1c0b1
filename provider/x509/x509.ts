import { X509Certificate } from "node:crypto";
import { contextTag, type Der, DerError, inside, readDer, readOid, readText, tags } from "./der.ts";

/** One attribute of a distinguished name. */
export interface NameAttribute {
  /** Dotted object identifier. */
  readonly oid: string;
  readonly value: string;
}

/** A distinguished name: its attributes in order. Attributes of one set follow each other. */
export type Name = readonly NameAttribute[];

const commonName = "2.5.4.3";
const organization = "2.5.4.10";

/** Short names of attributes (RFC 4514, section 3; others as in OpenSSL). */
const shortNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.17": "postalCode",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

/** @throws DerError */
export async function readName(element: Der | undefined): Promise<Name> {
  const attributes = inside(element, tags.sequence).flatMap((set) => inside(set, tags.set));
  return Promise.all(
    attributes.map(async (attribute) => {
      const [oid, value] = inside(attribute, tags.sequence);
      return { oid: await readOid(oid), value: readText(value) };
    }),
  );
}

/** The common names, of which the API server uses the last as the user name. */
export function commonNames(name: Name): string[] {
  return valuesOf(name, commonName);
}

/** The organizations, which the API server uses as groups, in alphabetical order. */
export function organizations(name: Name): string[] {
  return valuesOf(name, organization).sort();
}

function valuesOf(name: Name, oid: string): string[] {
  return name.filter((attribute) => attribute.oid === oid).map(({ value }) => value);
}

/** A name as text, in its own order: "O=example,CN=gateway". Special characters are escaped by RFC 4514. */
export function nameText(name: Name): string {
  return name.map(({ oid, value }) => `${shortNames[oid] ?? oid}=${escaped(value)}`).join(",");
}

function escaped(value: string): string {
  return value
    .replace(/[\\,+"<>;=]/g, (character) => `\\${character}`)
    .replace(/^[ #]/, (character) => `\\${character}`)
    .replace(/(?<!\\) $/, "\\ ")
    .replace(/\p{Cc}/gu, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** An extension of a certificate or a request. */
export interface Extension {
  readonly oid: string;
  /** DER of its value. */
  readonly value: Buffer;
}

/** @throws DerError */
export async function readExtensions(element: Der): Promise<Extension[]> {
  return Promise.all(
    inside(element, tags.sequence).map(async (extension) => {
      const parts = inside(extension, tags.sequence);
      const value = parts.at(-1);
      if (value?.tag !== tags.octetString) throw new DerError("an extension has no value");
      return { oid: await readOid(parts[0]), value: value.content };
    }),
  );
}

export const extensionOids = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** Usages by their names in the Kubernetes API. @see https://pkg.go.dev/k8s.io/api/certificates/v1#KeyUsage */
const keyUsageBits = [
  "digital signature",
  "content commitment",
  "key encipherment",
  "data encipherment",
  "key agreement",
  "cert sign",
  "crl sign",
  "encipher only",
  "decipher only",
] as const;

const extendedUsages: Readonly<Record<string, string>> = {
  "1.3.6.1.5.5.7.3.1": "server auth",
  "1.3.6.1.5.5.7.3.2": "client auth",
  "1.3.6.1.5.5.7.3.3": "code signing",
  "1.3.6.1.5.5.7.3.4": "email protection",
  "1.3.6.1.5.5.7.3.8": "timestamping",
  "1.3.6.1.5.5.7.3.9": "ocsp signing",
  "2.5.29.37.0": "any",
};

/** A certificate, with the fields that are compared with its specification. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly subject: Name;
  /** By its basic constraints alone. OpenSSL's answer depends on the key usage too. */
  readonly isCa: boolean;
  /** Undefined without the extension: then every usage is allowed. */
  readonly keyUsages: readonly string[] | undefined;
  readonly extendedKeyUsages: readonly string[] | undefined;
  /** Subject alternative names, DER, one by one. */
  readonly altNames: readonly Buffer[];
}

/** @throws DerError */
export async function readCertificate(der: Buffer): Promise<Certificate> {
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(der);
  } catch {
    throw new DerError("it is not a certificate");
  }
  const [body] = inside(await readDer(der), tags.sequence);
  // version [0], serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, …, extensions [3]
  const fields = inside(body, tags.sequence);
  const offset = fields[0]?.tag === contextTag(0) ? 1 : 0;
  const wrapped = fields.find((field) => field.tag === contextTag(3));
  const list = wrapped?.children?.[0];
  const extensions = new Map(
    (list === undefined ? [] : await readExtensions(list)).map(({ oid, value }) => [oid, value]),
  );
  return {
    x509,
    subject: await readName(fields[offset + 4]),
    isCa: await saysCa(extensions.get(extensionOids.basicConstraints)),
    keyUsages: await whenPresent(extensions.get(extensionOids.keyUsage), async (bits) => namedBits(bits.content)),
    extendedKeyUsages: await whenPresent(extensions.get(extensionOids.extendedKeyUsage), async (usages) =>
      Promise.all(inside(usages, tags.sequence).map(async (usage) => nameOfUsage(await readOid(usage)))),
    ),
    altNames: await altNames(extensions.get(extensionOids.subjectAltName)),
  };
}

function nameOfUsage(oid: string): string {
  return extendedUsages[oid] ?? oid;
}

/** @throws DerError */
export async function altNames(extension: Buffer | undefined): Promise<readonly Buffer[]> {
  const names = await whenPresent(extension, async (list) => inside(list, tags.sequence).map(({ raw }) => raw));
  return names ?? [];
}

/** Whether a basicConstraints extension marks a CA. @throws DerError */
export async function saysCa(extension: Buffer | undefined): Promise<boolean> {
  const ca = await whenPresent(extension, async (parts) =>
    inside(parts, tags.sequence).some(({ tag, content }) => tag === tags.boolean && content[0] !== 0),
  );
  return ca === true;
}

async function whenPresent<T>(value: Buffer | undefined, read: (element: Der) => Promise<T>): Promise<T | undefined> {
  return value === undefined ? undefined : read(await readDer(value));
}

/** Names of the bits that are set. The first byte counts unused bits. The first bit is the highest one of the second byte. */
function namedBits(content: Buffer): string[] {
  return keyUsageBits.filter((_, bit) => ((content[1 + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0);
}
