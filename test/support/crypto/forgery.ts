/** Creates certificate requests and certificates, valid and invalid ones, with keys that the tests generate. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import forge from "node-forge";
import { toPem } from "../../../kubernetes/pem.ts";

const { asn1 } = forge;
const { UNIVERSAL, CONTEXT_SPECIFIC } = asn1.Class;
type Node = forge.asn1.Asn1;

const bytes = (type: number, content: string) => asn1.create(UNIVERSAL, type, false, content);
const list = (...items: Node[]) => asn1.create(UNIVERSAL, asn1.Type.SEQUENCE, true, items);
const set = (...items: Node[]) => asn1.create(UNIVERSAL, asn1.Type.SET, true, items);
const tagged = (tag: number, ...items: Node[]) => asn1.create(CONTEXT_SPECIFIC, tag, true, items);
const oid = (id: string) => bytes(asn1.Type.OID, asn1.oidToDer(id).getBytes());
const encode = (node: Node) => Buffer.from(asn1.toDer(node).getBytes(), "latin1");
const bitString = (content: Buffer) => bytes(asn1.Type.BITSTRING, `\0${content.toString("latin1")}`);
const derTrue = bytes(asn1.Type.BOOLEAN, "\xff");

/** One attribute of a name; text is UTF-8 unless bytes of another type are given. */
export type Attribute = readonly [oid: string, value: string, type?: number];

export const CN = "2.5.4.3";
export const O = "2.5.4.10";

function name(attributes: readonly Attribute[]): Node {
  return list(
    ...attributes.map(([id, value, type]) => {
      const text = type === undefined ? Buffer.from(value).toString("latin1") : value;
      return set(list(oid(id), bytes(type ?? asn1.Type.UTF8, text)));
    }),
  );
}

const spki = (key: KeyObject) => {
  const parse = asn1.fromDer as unknown as (der: string, options: object) => Node;
  return parse(key.export({ type: "spki", format: "der" }).toString("latin1"), { decodeBitStrings: false });
};

const algorithms = {
  "rsa-sha256": list(oid("1.2.840.113549.1.1.11"), bytes(asn1.Type.NULL, "")),
  "rsa-sha1": list(oid("1.2.840.113549.1.1.5"), bytes(asn1.Type.NULL, "")),
  "ec-sha256": list(oid("1.2.840.10045.4.3.2")),
} as const;

function signed(content: Node, key: KeyObject, algorithm: keyof typeof algorithms): Buffer {
  const signature = sign(algorithm.endsWith("sha1") ? "sha1" : "sha256", encode(content), key);
  return encode(list(content, algorithms[algorithm], bitString(signature)));
}

const extension = (id: string, value: Node, critical = true) =>
  list(oid(id), ...(critical ? [derTrue] : []), bytes(asn1.Type.OCTETSTRING, encode(value).toString("latin1")));
const dnsNames = (names: readonly string[]) =>
  extension("2.5.29.17", list(...names.map((value) => asn1.create(CONTEXT_SPECIFIC, 2, false, value))), false);
const caTrue = extension("2.5.29.19", list(derTrue));

const pair = (() => {
  let generated: { privateKey: KeyObject; publicKey: KeyObject } | undefined;
  return () => {
    generated ??= generateKeyPairSync("rsa", { modulusLength: 2048 });
    return generated;
  };
})();

export interface RequestOptions {
  readonly subject?: readonly Attribute[];
  /** @default an RSA 2048 key that all share */
  readonly privateKey?: KeyObject;
  readonly publicKey?: KeyObject;
  readonly algorithm?: keyof typeof algorithms;
  readonly dnsNames?: readonly string[];
  readonly ca?: boolean;
  readonly version?: number;
}

export const defaultKey = (): KeyObject => pair().privateKey;

/** A certification request in DER. */
export function forgeRequest(options: RequestOptions = {}): Buffer {
  const { subject = [[CN, "gateway"]], privateKey = pair().privateKey, publicKey = pair().publicKey } = options;
  const extensions = [...(options.dnsNames ? [dnsNames(options.dnsNames)] : []), ...(options.ca ? [caTrue] : [])];
  const attributes = extensions.length > 0 ? [list(oid("1.2.840.113549.1.9.14"), set(list(...extensions)))] : [];
  const info = list(
    bytes(asn1.Type.INTEGER, String.fromCharCode(options.version ?? 0)),
    name(subject),
    spki(publicKey),
    tagged(0, ...attributes),
  );
  return signed(info, privateKey, options.algorithm ?? "rsa-sha256");
}

export function requestPem(options: RequestOptions = {}): string {
  return toPem("CERTIFICATE REQUEST", forgeRequest(options));
}

export interface CertificateOptions {
  readonly subject?: readonly Attribute[];
  readonly publicKey?: KeyObject;
  readonly ca?: boolean;
  /** Bits of keyUsage, as in its first byte. @default 0xa0, digital signature and key encipherment */
  readonly keyUsage?: number;
  /** @default client auth */
  readonly extended?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Bytes of the serial number, big endian. @default 2a */
  readonly serial?: string;
  /** @default rsa-sha256 */
  readonly algorithm?: "rsa-sha256" | "rsa-sha1";
  /** Extensions in addition to the standard ones, or instead of them with `bare`. */
  readonly extensions?: readonly Node[];
  /** Omits the standard extensions. @default false */
  readonly bare?: boolean;
}

/** An extension with any value. */
export const forgeExtension = extension;
export { asn1, bytes as element, CONTEXT_SPECIFIC, list as sequence, tagged };

const hourMs = 3_600_000;

/** A certificate, PEM, from an unknown CA. */
export function forgeCertificate(options: CertificateOptions = {}): string {
  const { notBefore = new Date(Date.now() - hourMs), notAfter = new Date(Date.now() + hourMs) } = options;
  const time = (date: Date) => bytes(asn1.Type.UTCTIME, asn1.dateToUtcTime(date) as unknown as string);
  const { extended = ["1.3.6.1.5.5.7.3.2"], keyUsage = 0xa0 } = options;
  const body = list(
    tagged(0, bytes(asn1.Type.INTEGER, "\x02")),
    bytes(asn1.Type.INTEGER, options.serial ?? "\x2a"),
    algorithms[options.algorithm ?? "rsa-sha256"],
    name([[CN, "a CA of the tests"]]),
    list(time(notBefore), time(notAfter)),
    name(options.subject ?? [[CN, "gateway"]]),
    spki(options.publicKey ?? pair().publicKey),
    tagged(
      3,
      list(
        ...(options.bare
          ? []
          : [
              ...(options.ca ? [caTrue] : []),
              extension("2.5.29.15", bytes(asn1.Type.BITSTRING, `\0${String.fromCharCode(keyUsage)}`)),
              ...(extended.length > 0 ? [extension("2.5.29.37", list(...extended.map(oid)), false)] : []),
              ...(options.dnsNames ? [dnsNames(options.dnsNames)] : []),
            ]),
        ...(options.extensions ?? []),
      ),
    ),
  );
  return toPem("CERTIFICATE", signed(body, pair().privateKey, options.algorithm ?? "rsa-sha256"));
}
