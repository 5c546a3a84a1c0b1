/** Verifies a token's signature with the keys of its issuer. */
import { verify } from "node:crypto";
import { compactVerify, errors } from "jose";
import { Refusal } from "../errors.ts";
import type { Keyring } from "../keys/keyring.ts";
import { type Candidates, candidates, type VerificationKey } from "../keys/keySet.ts";

/**
 * Only the key that the token names, and only with that key's one algorithm (RFC 8725 §3.1–3.2). A key that is not known is looked for
 * once more at its source, so that a rotation refuses no good token.
 *
 * @throws Refusal unknown_key, unsupported_algorithm, bad_signature, keys_unavailable, busy
 */
export async function verifySignature(
  token: string,
  header: Readonly<Record<string, unknown>>,
  keyring: Keyring,
): Promise<void> {
  const found = find(header, keyring);
  if (await isSignedByOne(token, found)) return;
  if (found.named) throw new Refusal(found.keys.length === 0 ? "unsupported_algorithm" : "bad_signature");
  await keyring.refresh();
  const again = find(header, keyring);
  if (await isSignedByOne(token, again)) return;
  if (again.keys.length > 0) throw new Refusal("bad_signature");
  throw new Refusal(again.named ? "unsupported_algorithm" : "unknown_key");
}

function find({ alg, kid }: Readonly<Record<string, unknown>>, keyring: Keyring): Candidates {
  return candidates(keyring.keys(), kid as string | undefined, alg as string);
}

async function isSignedByOne(token: string, { keys }: Candidates): Promise<boolean> {
  for (const key of keys) {
    if (isRsa(key) ? isSignedByRsa(token, key) : await isSignedBy(token, key)) return true;
  }
  return false;
}

/** Of RSASSA-PKCS1-v1_5 (RFC 7518 §3.3), which is what Kubernetes signs with unless it was set up otherwise. */
const rsaHashes: Readonly<Record<string, string>> = { RS256: "sha256", RS384: "sha384", RS512: "sha512" };

function isRsa({ algorithm }: VerificationKey): boolean {
  return Object.hasOwn(rsaHashes, algorithm);
}

/**
 * At once: the way to a thread and back, which jose's verification takes, costs more than these 20 µs themselves. What jose checks
 * beside it (grammar, header, algorithm and kind of key) was checked before.
 */
function isSignedByRsa(token: string, { key, algorithm }: VerificationKey): boolean {
  const end = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(end + 1), "base64url");
  return verify(rsaHashes[algorithm], Buffer.from(token.slice(0, end), "latin1"), key, signature);
}

async function isSignedBy(token: string, { key, algorithm }: VerificationKey): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false;
    if (error instanceof errors.JOSEError) throw new Refusal("malformed_token");
    throw error;
  }
}
