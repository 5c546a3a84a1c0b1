/** Verifies a token's signature with the keys of its issuer. */
import { compactVerify, errors } from "jose";
import { Refusal } from "../errors.ts";
import type { Keyring } from "../keys/keyring.ts";
import { type Candidates, candidates, type VerificationKey } from "../keys/keySet.ts";
import type { Standing } from "../review/queue.ts";

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
  const found = await find(header, keyring);
  if (await isSignedByOne(token, found)) return;
  if (found.named) throw new Refusal(found.keys.length === 0 ? "unsupported_algorithm" : "bad_signature");
  await keyring.refresh();
  const again = await find(header, keyring);
  if (await isSignedByOne(token, again)) return;
  if (again.keys.length > 0) throw new Refusal("bad_signature");
  throw new Refusal(again.named ? "unsupported_algorithm" : "unknown_key");
}

/**
 * What published keys say of a token that its API server verifies. A token whose key is published and does not verify it cannot be good. A
 * token of a key that is not published can be: another look at the keys begins, and the token does not wait for it.
 *
 * @throws Refusal bad_signature
 */
export async function standingOf(
  token: string,
  header: Readonly<Record<string, unknown>>,
  published: Keyring,
): Promise<Exclude<Standing, "accepted">> {
  if (published.keyCount === 0) return "unknown";
  let found: Candidates;
  try {
    found = await find(header, published);
  } catch {
    return "unknown";
  }
  if (await isSignedByOne(token, found)) return "signed";
  if (found.named && found.keys.length > 0) throw new Refusal("bad_signature");
  published.lookAgain();
  return "unlikely";
}

async function find({ alg, kid }: Readonly<Record<string, unknown>>, keyring: Keyring): Promise<Candidates> {
  return candidates(await keyring.freshKeys(), kid as string | undefined, alg as string);
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
