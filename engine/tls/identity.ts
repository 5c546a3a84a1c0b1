import { createHash } from "node:crypto";

/** Bytes that `strings.TrimSpace` of Go takes for white space at the end of a text (UTF-8, here as Latin-1). */
const trailingSpace =
  /(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+$/;

/**
 * The id of a key or certificate request: the SHA-1 of its DER in hexadecimal. Pulumi's provider trims the DER as if it
 * were text before it hashes it, so that about one request in forty has an id that leaves out its last byte.
 */
export function idOf(der: Buffer): string {
  const trimmed = der.toString("latin1").replace(trailingSpace, "");
  return createHash("sha1").update(trimmed, "latin1").digest("hex");
}
