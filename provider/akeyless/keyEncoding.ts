/** Keys and certificates in Akeyless's encodings: PEM, or base64 of PEM. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { looksLikePem, pemBlocks } from "../../kubernetes/pem.ts";
import { samePublicKey } from "../x509/samePublicKey.ts";

/** Whether two texts hold the same keys or certificates. Akeyless returns PEM in other encodings than it accepts. */
export function samePem(left: string, right: string): boolean {
  return canonical(left) === canonical(right);
}

/** PEM, or base64 of PEM, without line breaks, for a comparison. */
function canonical(value: string): string {
  const blocks = pemBlocks(decoded(value));
  return (blocks.length > 0 ? blocks.map(({ text }) => text).join("") : value).replaceAll(/\s/g, "");
}

/** Whether two texts hold the same public key, in PEM or base64 of PEM, PKCS #1 or SubjectPublicKeyInfo. */
export function isSamePublicKey(left: string, right: string): boolean {
  if (samePem(left, right)) return true;
  const [one, other] = [readPublicKey(left), readPublicKey(right)];
  return one !== undefined && other !== undefined && samePublicKey(one, other);
}

/** Reads a public key from PEM or base64 of PEM. Undefined for anything else. */
export function readPublicKey(text: string): KeyObject | undefined {
  try {
    return createPublicKey(decoded(text));
  } catch {
    return undefined;
  }
}

/** Encodes PEM as base64 in one line. A text without PEM blocks is taken for base64 already. */
export function base64OfPem(pem: string): string {
  const blocks = pemBlocks(pem);
  return blocks.length === 0
    ? pem.replaceAll(/\s/g, "")
    : Buffer.from(blocks.map(({ text }) => text).join("")).toString("base64");
}

function decoded(value: string): string {
  return looksLikePem(value) ? value : Buffer.from(value.replaceAll(/\s/g, ""), "base64").toString("utf8");
}
