import type { KeyObject } from "node:crypto";

/**
 * Whether two public keys are the same. `KeyObject.equals` leaves an error in OpenSSL's queue if the keys are of different types, and
 * the next write to a TLS connection fails with it (ERR_SSL_DIFFERENT_KEY_TYPES, Node.js 24).
 */
export function samePublicKey(one: KeyObject, other: KeyObject): boolean {
  const [a, b] = [one, other].map((key) => key.export({ type: "spki", format: "der" })) as [Buffer, Buffer];
  return a.equals(b);
}
