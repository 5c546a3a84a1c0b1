import { createPublicKey } from "node:crypto";

/** The PEM blocks of a text, as they are. */
export function pemBlocks(text: string): string[] {
  return text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g) ?? [];
}

/** Keys and certificates as one text to compare, whether they come as PEM or as base64 of it, wrapped or not. */
function canonical(value: string): string {
  const compact = value.replaceAll(/\s/g, "");
  const decoded = value.includes("-----BEGIN ") ? value : Buffer.from(compact, "base64").toString("utf8");
  const blocks = pemBlocks(decoded);
  return blocks.length > 0 ? blocks.join("").replaceAll(/\s/g, "") : compact;
}

/** Whether two texts hold the same keys or certificates: products answer PEM in other encodings than they take it. */
export function samePem(left: string, right: string): boolean {
  return canonical(left) === canonical(right);
}

/** Whether two texts hold the same public key, in whichever of its forms. */
export function samePublicKey(left: string, right: string): boolean {
  if (samePem(left, right)) return true;
  const [one, other] = [publicKeyDer(left), publicKeyDer(right)];
  return one !== undefined && other !== undefined && one.equals(other);
}

/** A public key as base64 of PEM in one line. */
export function base64OfPem(pem: string): string {
  const blocks = pemBlocks(pem);
  return blocks.length === 0
    ? pem.replaceAll(/\s/g, "")
    : Buffer.from(blocks.map((block) => `${block.replaceAll("\r", "")}\n`).join("")).toString("base64");
}

export function publicKeyDer(text: string): Buffer | undefined {
  const compact = text.replaceAll(/\s/g, "");
  const pem = text.includes("-----BEGIN ") ? text : Buffer.from(compact, "base64").toString("utf8");
  try {
    return createPublicKey(pem).export({ type: "spki", format: "der" });
  } catch {
    return undefined;
  }
}
