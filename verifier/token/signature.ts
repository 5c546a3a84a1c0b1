/** Verifies a token's signature with the keys of its issuer. */
import { compactVerify, errors } from "jose";
import { Refusal } from "../errors.ts";
import type { IssuerKeys } from "../keys/issuerKeys.ts";
import { type Candidates, candidates, type VerificationKey } from "../keys/keySet.ts";
import type { ReviewPriority } from "../review/queue.ts";

type Header = Readonly<Record<string, unknown>>;

/**
 * Verifies with the key that the token names, and with that key's one algorithm (RFC 8725, sections 3.1 and 3.2). If the key is not
 * known, the keys are refreshed first, so that a rotation refuses no valid token.
 *
 * @throws Refusal unknown_key, unsupported_algorithm, bad_signature, keys_unavailable, busy
 */
export async function verifySignature(token: string, header: Header, keys: IssuerKeys): Promise<void> {
  const found = await find(header, keys);
  if (await isSignedByOne(token, found)) return;
  if (found.named) throw new Refusal(found.keys.length === 0 ? "unsupported_algorithm" : "bad_signature");
  await keys.refresh();
  const again = await find(header, keys);
  if (await isSignedByOne(token, again)) return;
  if (again.keys.length > 0) throw new Refusal("bad_signature");
  throw new Refusal(again.named ? "unsupported_algorithm" : "unknown_key");
}

/**
 * Priority of a token's review, from the keys that the API server publishes. A token whose published key does not verify it is forged. A
 * token of an unpublished key can be valid: the keys are refreshed in the background, and the token does not wait.
 *
 * @throws Refusal bad_signature
 */
export async function priorityOf(
  token: string,
  header: Header,
  publishedKeys: IssuerKeys,
): Promise<Exclude<ReviewPriority, "accepted">> {
  if (publishedKeys.keyCount === 0) return "unknown";
  let found: Candidates;
  try {
    found = await find(header, publishedKeys);
  } catch {
    return "unknown";
  }
  if (await isSignedByOne(token, found)) return "signed";
  if (found.named && found.keys.length > 0) throw new Refusal("bad_signature");
  publishedKeys.refreshInBackground();
  return "unlikely";
}

async function find({ alg, kid }: Header, keys: IssuerKeys): Promise<Candidates> {
  return candidates(await keys.freshKeys(), kid as string | undefined, alg as string);
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
