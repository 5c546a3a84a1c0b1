import { type KeyObject, sign } from "node:crypto";
import type { asn1 as Asn1 } from "node-forge";
import { type AlternativeNames, generalNames } from "./alternativeNames.ts";
import { digestOf, publicDer } from "./keys.ts";
import { type NamePart, nameParts, type Subject } from "./subject.ts";

type Node = Asn1.Asn1;

const extensionRequest = "1.2.840.113549.1.9.14";
const subjectAltName = "2.5.29.17";

/** How a signature is named, by the digest that it is made over (RFC 4055, RFC 5758, RFC 8410). */
const signatures: Readonly<Record<string, string>> = {
  rsa: "1.2.840.113549.1.1.11",
  "ec:sha256": "1.2.840.10045.4.3.2",
  "ec:sha384": "1.2.840.10045.4.3.3",
  "ec:sha512": "1.2.840.10045.4.3.4",
  ed25519: "1.3.101.112",
};

/** Characters of PrintableString (X.680, 41.4). */
const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/**
 * A PKCS#10 certification request (RFC 2986) in DER, signed by its key; with subject alternative names if there are
 * any, and no other attribute.
 */
export async function certificateRequest(key: KeyObject, subject: Subject, names: AlternativeNames): Promise<Buffer> {
  const { default: asn1 } = await import("node-forge/lib/asn1.js");
  const { Class, Type } = asn1;
  const { UNIVERSAL, CONTEXT_SPECIFIC } = Class;
  const sequence = (...items: Node[]) => asn1.create(UNIVERSAL, Type.SEQUENCE, true, items);
  const set = (...items: Node[]) => asn1.create(UNIVERSAL, Type.SET, true, items);
  const oid = (id: string) => asn1.create(UNIVERSAL, Type.OID, false, asn1.oidToDer(id).getBytes());
  const bytes = (type: Asn1.Type, value: Buffer) => asn1.create(UNIVERSAL, type, false, value.toString("latin1"));
  const encode = (node: Node) => Buffer.from(asn1.toDer(node).getBytes(), "latin1");

  const text = (value: string, ia5 = false) => {
    const type = ia5 ? Type.IA5STRING : printable.test(value) ? Type.PRINTABLESTRING : Type.UTF8;
    return bytes(type, Buffer.from(value, "utf8"));
  };
  /** The elements of a set are in the order of their encodings (X.690, 11.6). */
  const part = ({ oid: id, values, ia5 }: NamePart) => {
    const items = values.map((value) => sequence(oid(id), text(value, ia5)));
    return set(...items.toSorted((a, b) => Buffer.compare(encode(a), encode(b))));
  };
  const attributes = () => {
    const list = generalNames(names).map(({ tag, bytes: value }) =>
      asn1.create(CONTEXT_SPECIFIC, tag, false, value.toString("latin1")),
    );
    if (list.length === 0) return [];
    const extension = sequence(oid(subjectAltName), bytes(Type.OCTETSTRING, encode(sequence(...list))));
    return [sequence(oid(extensionRequest), set(sequence(extension)))];
  };
  /** What is DER already goes in as it is: forge reads no keys but RSA ones. */
  const join = (...items: Buffer[]) => {
    const content = Buffer.concat(items);
    return Buffer.concat([header(content.length), content]);
  };

  const information = join(
    encode(asn1.create(UNIVERSAL, Type.INTEGER, false, "\0")),
    encode(sequence(...nameParts(subject).map(part))),
    publicDer(key),
    encode(asn1.create(CONTEXT_SPECIFIC, 0, true, attributes())),
  );
  const digest = digestOf(key);
  const kind = key.asymmetricKeyType === "ec" ? `ec:${digest}` : key.asymmetricKeyType;
  const algorithm = [oid(signatures[kind ?? ""] as string)];
  if (kind === "rsa") algorithm.push(asn1.create(UNIVERSAL, Type.NULL, false, ""));
  const signature = Buffer.concat([Buffer.of(0), sign(digest, information, key)]);
  return join(information, encode(sequence(...algorithm)), encode(bytes(Type.BITSTRING, signature)));
}

/** Tag and length of a sequence. */
function header(length: number): Buffer {
  if (length < 0x80) return Buffer.of(0x30, length);
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, "0"), "hex");
  return Buffer.concat([Buffer.of(0x30, 0x80 | digits.length), digits]);
}
