/** PEM (RFC 7468). All functions are pure. Reading takes linear time, for malicious texts too. */
import { X509Certificate } from "node:crypto";

/** One block of PEM. */
export interface PemBlock {
  readonly label: string;
  /** The block. Its lines have no white space around them, and each of them ends with one newline. */
  readonly text: string;
  /** The content. Undefined if it is not base64, or has headers, as encrypted keys in PKCS #1 do. */
  readonly der: Buffer | undefined;
}

/**
 * Reads the blocks of a text, in order. Text around the blocks is left out. Indentation and all kinds of line ends are accepted. A block ends
 * at the first end line with its label, so a block that is cut off makes the next block of the same label unreadable.
 */
export function pemBlocks(text: string): PemBlock[] {
  const ends = endLines(text);
  const blocks: PemBlock[] = [];
  let position = 0;
  for (const { 0: line, 1: label = "", index } of text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)) {
    if (index < position) continue;
    const start = index + line.length;
    const candidates = ends.get(label) ?? [];
    while (candidates.length > 0 && Number(candidates.at(-1)) < start) candidates.pop();
    const end = candidates.pop();
    if (end === undefined) continue;
    // END is two letters shorter than BEGIN.
    position = end + line.length - 2;
    blocks.push({ label, text: withPlainLines(text.slice(index, position)), der: decoded(text.slice(start, end)) });
  }
  return blocks;
}

/** Positions of end lines by label, the last one first. */
function endLines(text: string): ReadonlyMap<string, number[]> {
  const ends = new Map<string, number[]>();
  for (const { 1: label = "", index } of [...text.matchAll(/-----END ([A-Z0-9 ]+)-----/g)].reverse()) {
    const positions = ends.get(label) ?? [];
    positions.push(index);
    ends.set(label, positions);
  }
  return ends;
}

function withPlainLines(block: string): string {
  const lines = block.split(/\r\n?|\n/).map((line) => line.trim());
  return `${lines.join("\n")}\n`;
}

function decoded(content: string): Buffer | undefined {
  const base64 = content.replace(/\s+/g, "");
  const isBase64 = base64.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
  return isBase64 ? Buffer.from(base64, "base64") : undefined;
}

/** Whether a text contains the start of a PEM block. */
export function looksLikePem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

/** Writes PEM with 64 columns and a newline at the end. */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

/** Whether OpenSSL can read a PEM certificate. */
export function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Whether a PEM private key needs a passphrase: PKCS #8 says so in its label, PKCS #1 in a header. */
export function isEncryptedKey(pem: string): boolean {
  return /BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m.test(pem);
}
