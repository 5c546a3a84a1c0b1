/** Verifies a token's signature with the keys of its issuer. */
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
    if (await isSignedBy(token, key)) return true;
  }
  return false;
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
