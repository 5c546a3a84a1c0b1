import { isIP } from "node:net";

export interface AlternativeNames {
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly uris: readonly string[];
}

/** A GeneralName of RFC 5280, section 4.2.1.6: the tag of its choice, and its bytes. */
export interface GeneralName {
  readonly tag: number;
  readonly bytes: Buffer;
}

const tags = { dnsName: 2, uri: 6, ipAddress: 7 } as const;

/** The alternative names in the order in which Pulumi's provider writes them. */
export function generalNames({ dnsNames, ipAddresses, uris }: AlternativeNames): GeneralName[] {
  return [
    ...dnsNames.map((name) => ({ tag: tags.dnsName, bytes: Buffer.from(name, "ascii") })),
    ...ipAddresses.map((address) => ({ tag: tags.ipAddress, bytes: addressBytes(address) })),
    ...uris.map((uri) => ({ tag: tags.uri, bytes: Buffer.from(uriText(uri), "ascii") })),
  ];
}

export function isDnsName(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** An IPv4 or IPv6 address without a zone. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/** A URI with a scheme. */
export function isUri(text: string): boolean {
  return /^[a-z][a-z\d+.-]*:/i.test(text) && URL.canParse(text);
}

/** A URI as it is, except for its scheme in lower case and for what URIs can't hold, which is percent-encoded. */
function uriText(uri: string): string {
  const colon = uri.indexOf(":");
  const rest = uri.slice(colon).replace(/[^\x21-\x7e]|["<>\\^`{|}]/gu, (character) => encodeURIComponent(character));
  return uri.slice(0, colon).toLowerCase() + rest;
}

/** 4 bytes, also for an IPv4 address written as an IPv6 one; else 16. */
function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // In the form that URLs have, at most one `::` is left to be filled, and no dotted part.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const groups = (text: string | undefined) => (text ? text.split(":") : []);
  const [front, back] = [groups(head), groups(tail)];
  const zeros = Array<string>(8 - front.length - back.length).fill("0");
  const bytes = Buffer.from([...front, ...zeros, ...back].map((group) => group.padStart(4, "0")).join(""), "hex");
  const mapped = bytes.subarray(0, 12).equals(Buffer.from("00000000000000000000ffff", "hex"));
  return mapped ? bytes.subarray(12) : bytes;
}
