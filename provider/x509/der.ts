import type { asn1 as Asn1 } from "node-forge";

/** One element of a DER encoding (X.690), as plain values. */
export interface Der {
  /** Class in the two highest bits, number in the five lowest. The constructed bit is left out: 0x30 is 0x10. */
  readonly tag: number;
  /** Elements of a constructed element; undefined for a primitive one. */
  readonly children: readonly Der[] | undefined;
  /** The element's content, without tag and length. */
  readonly content: Buffer;
  /** The whole encoding of the element. */
  readonly raw: Buffer;
}

/** Universal tags (X.680, 8.4). */
export const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x10,
  set: 0x11,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  bmpString: 0x1e,
} as const;

/** A context-specific tag ("[n]"). */
export const contextTag = (number: number): number => 0x80 | number;

/** An encoding that is not DER, or has another structure. The message quotes no part of it. */
export class DerError extends Error {}

/** Loads the ASN.1 part of node-forge in 3 ms. The whole package takes 30 ms. */
const load = () => import("node-forge/lib/asn1.js").then((module) => module.default);

/**
 * Reads one element that fills all of `bytes`.
 *
 * @throws DerError for any other encoding than the distinguished one
 */
export async function readDer(bytes: Buffer): Promise<Der> {
  const asn1 = await load();
  const encode = (node: Asn1.Asn1) => Buffer.from(asn1.toDer(node).getBytes(), "latin1");
  const convert = (node: Asn1.Asn1): Der => {
    const raw = encode(node);
    const children = node.constructed ? (node.value as Asn1.Asn1[]).map(convert) : undefined;
    return { tag: node.tagClass | node.type, children, content: raw.subarray(headerLength(raw)), raw };
  };
  let root: Asn1.Asn1;
  try {
    // The published types leave the options out.
    const fromDer = asn1.fromDer as unknown as (bytes: string, options: object) => Asn1.Asn1;
    root = fromDer(bytes.toString("latin1"), { strict: true, parseAllBytes: true, decodeBitStrings: false });
  } catch {
    throw new DerError("it is not DER");
  }
  // BER allows several encodings of a length or number, DER one. Signatures are over DER.
  if (!encode(root).equals(bytes)) throw new DerError("it is BER, and not DER");
  return convert(root);
}

/**
 * Object identifier in dotted form.
 *
 * @throws DerError for another element, and for an identifier that is cut off or has an arc of more than 53 bits
 */
export async function readOid(element: Der | undefined): Promise<string> {
  if (element?.tag !== tags.oid) throw new DerError("an object identifier is missing");
  const { content } = element;
  const asn1 = await load();
  try {
    // The last byte of an arc has no continuation bit (X.690, 8.19.2).
    if (((content.at(-1) ?? 0x80) & 0x80) === 0) return asn1.derToOid(content.toString("latin1"));
  } catch {
    // Reported below.
  }
  throw new DerError("an object identifier cannot be read");
}

/** The elements of a SEQUENCE, a SET, or another constructed element with this tag. @throws DerError */
export function inside(element: Der | undefined, tag: number): readonly Der[] {
  if (element?.tag !== tag || element.children === undefined) throw new DerError("it has another structure");
  return element.children;
}

/** The content of a BIT STRING of whole bytes. @throws DerError */
export function wholeBits(element: Der | undefined): Buffer {
  if (element?.tag !== tags.bitString || element.children !== undefined || element.content[0] !== 0) {
    throw new DerError("a bit string is missing, or is not made of whole bytes");
  }
  return element.content.subarray(1);
}

/**
 * A character string of a name (RFC 5280, DirectoryString) of any type.
 *
 * @throws DerError for other types, and for bytes that their type does not allow
 */
export function readText(element: Der | undefined): string {
  const content = element?.content ?? Buffer.alloc(0);
  switch (element?.tag) {
    case tags.utf8String:
      return decode("utf-8", content);
    case tags.bmpString:
      return decode("utf-16be", content);
    case tags.printableString:
    case tags.numericString:
    case tags.ia5String:
      return ascii(content);
    case tags.teletexString:
      return content.toString("latin1");
    default:
      throw new DerError("a value of the name is not text");
  }
}

function ascii(content: Buffer): string {
  if (content.some((byte) => byte > 0x7f))
    throw new DerError("a value of the name has bytes that its type does not allow");
  return content.toString("latin1");
}

function decode(encoding: string, content: Buffer): string {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new DerError("a value of the name has bytes that its type does not allow");
  }
}

function headerLength(raw: Buffer): number {
  const first = raw[1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}
