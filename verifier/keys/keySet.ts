/** Public keys of an issuer, each with the one algorithm that it verifies. */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from "node:crypto";
import { VerifierError } from "../errors.ts";
import { algorithms } from "../token/decode.ts";
import { rsaProblem } from "./rsa.ts";

export interface VerificationKey {
  /** `undefined`: the key has no name (PEM, or a JWK without one), and tokens with any `kid` may be of it. */
  readonly kid: string | undefined;
  readonly algorithm: string;
  readonly key: KeyObject;
  /** SHA-256 of the DER public key, base64url: Kubernetes calls its keys by this. */
  readonly thumbprint: string;
}

export interface KeySet {
  readonly keys: readonly VerificationKey[];
  /** Why keys were left out, for the log. */
  readonly leftOut: readonly string[];
}

const maxKeys = 100;
/** Signatures that one token may cost. */
const maxTries = 8;
const minRsaBits = 2048;
const maxRsaBits = 8192;
const curves: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/**
 * Keys of a JWK set (RFC 7517). Keys that cannot verify tokens are left out, as the standard wants it; a set without any is an error.
 *
 * @throws VerifierError KEYS_MALFORMED, KEYS_NONE_USABLE
 */
export function parseJwks(text: string, where: string): KeySet {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new VerifierError("KEYS_MALFORMED", `${where} is not JSON: expected a JWK set.`);
  }
  const list = (parsed as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list) || list.length > maxKeys) {
    throw new VerifierError(
      "KEYS_MALFORMED",
      `${where} is not a JWK set: expected "keys", a list of up to ${maxKeys}.`,
    );
  }
  return usable(
    where,
    list.map((jwk, at) => () => fromJwk(jwk, `key ${at}`)),
  );
}

/**
 * Keys of a file: PEM public keys (PKCS #1 or SPKI) and certificates, any number of them, or a JWK set.
 *
 * @throws VerifierError KEYS_MALFORMED, KEYS_NONE_USABLE
 */
export function parseKeyFile(text: string, where: string): KeySet {
  if (text.trimStart().startsWith("{")) return parseJwks(text, where);
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > maxKeys) {
    throw new VerifierError(
      "KEYS_MALFORMED",
      `${where} holds no keys: expected up to ${maxKeys} PEM public keys or certificates, or a JWK set.`,
    );
  }
  if (blocks.some((block) => block.includes("PRIVATE KEY"))) {
    throw new VerifierError("KEYS_MALFORMED", `${where} holds a private key: give the verifier the public one alone.`);
  }
  return usable(
    where,
    blocks.map((block, at) => () => fromPem(block, `PEM block ${at}`)),
  );
}

/** Whether a source was read, and holds no usable key. */
export function isNoneUsable(error: unknown): error is VerifierError {
  return error instanceof VerifierError && error.code === "KEYS_NONE_USABLE";
}

/** Joins the keys of several files. */
export function joinKeySets(sets: readonly KeySet[]): KeySet {
  return { keys: sets.flatMap((set) => set.keys), leftOut: sets.flatMap((set) => set.leftOut) };
}

/** Keys that a token may be signed with. */
export interface Candidates {
  /** Whether the token names one of our keys: then no other can be meant. */
  readonly named: boolean;
  /** Those with the token's algorithm. */
  readonly keys: readonly VerificationKey[];
}

/** The keys of a token's `kid` (Kubernetes names keys by their thumbprints), or else those that have no name. */
export function candidates(keys: readonly VerificationKey[], kid: string | undefined, algorithm: string): Candidates {
  const byName = kid === undefined ? [] : keys.filter((key) => (key.kid ?? key.thumbprint) === kid);
  const named = byName.length > 0;
  const fitting = named ? byName : keys.filter((key) => key.kid === undefined);
  return { named, keys: fitting.filter((key) => key.algorithm === algorithm).slice(0, maxTries) };
}

function usable(where: string, makers: readonly (() => VerificationKey)[]): KeySet {
  const keys: VerificationKey[] = [];
  const leftOut: string[] = [];
  for (const make of makers) {
    try {
      keys.push(make());
    } catch (error) {
      leftOut.push(error instanceof Unusable ? error.message : "a key that cannot be read");
    }
  }
  if (keys.length > 0) return { keys, leftOut };
  const why = leftOut.length > 0 ? ` (${leftOut.join("; ")})` : "";
  throw new VerifierError("KEYS_NONE_USABLE", `${where} holds no key that tokens can be verified with${why}.`);
}

class Unusable extends Error {}

function fromJwk(jwk: unknown, what: string): VerificationKey {
  if (typeof jwk !== "object" || jwk === null) throw new Unusable(`${what} is no object`);
  const { kty, kid, use, alg, key_ops: operations } = jwk as Record<string, unknown>;
  if (kty === "oct" || privateMembers.some((member) => Object.hasOwn(jwk, member)))
    throw new Unusable(`${what} is not public`);
  if (use !== undefined && use !== "sig") throw new Unusable(`${what} is not for signatures`);
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    throw new Unusable(`${what} is not for verifying`);
  }
  if (kid !== undefined && (typeof kid !== "string" || kid === ""))
    throw new Unusable(`${what} has a kid that is no text`);
  const key = read(() => createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }), what);
  const algorithm = alg === undefined ? algorithmOf(key, what) : named(alg, key, what);
  return verificationKey(key, algorithm, kid as string | undefined, what);
}

function fromPem(block: string, what: string): VerificationKey {
  const isCertificate = block.startsWith("-----BEGIN CERTIFICATE");
  const key = read(() => (isCertificate ? new X509Certificate(block).publicKey : createPublicKey(block)), what);
  return verificationKey(key, algorithmOf(key, what), undefined, what);
}

function read(make: () => KeyObject, what: string): KeyObject {
  try {
    return make();
  } catch {
    throw new Unusable(`${what} cannot be read as a public key`);
  }
}

function verificationKey(key: KeyObject, algorithm: string, kid: string | undefined, what: string): VerificationKey {
  if (key.asymmetricKeyType === "rsa") {
    const { modulusLength: bits = 0 } = key.asymmetricKeyDetails ?? {};
    if (bits < minRsaBits || bits > maxRsaBits)
      throw new Unusable(`${what} is an RSA key of ${bits} bits: expected ${minRsaBits} to ${maxRsaBits}`);
    const problem = rsaProblem(key);
    if (problem !== undefined) throw new Unusable(`${what} ${problem}`);
  }
  const der = key.export({ type: "spki", format: "der" });
  return { kid, algorithm, key, thumbprint: createHash("sha256").update(der).digest("base64url") };
}

/** RSA keys without `alg` are used with RS256, as Kubernetes does. */
function algorithmOf(key: KeyObject, what: string): string {
  const type = key.asymmetricKeyType ?? "";
  const found =
    type === "rsa"
      ? "RS256"
      : type === "ec"
        ? curves[key.asymmetricKeyDetails?.namedCurve ?? ""]
        : type === "ed25519"
          ? "EdDSA"
          : type.toUpperCase();
  if (!found || !algorithms.has(found)) throw new Unusable(`${what} is of a kind that is not supported`);
  return found;
}

/** The algorithm that a JWK names, if it is one of its kind of key. */
function named(alg: unknown, key: KeyObject, what: string): string {
  if (typeof alg !== "string" || !algorithms.has(alg))
    throw new Unusable(`${what} names an algorithm that is not supported`);
  const standard = algorithmOf(key, what);
  const fits =
    alg === standard ||
    (standard === "RS256" && /^[RP]S(256|384|512)$/.test(alg)) ||
    (standard === "EdDSA" && alg === "Ed25519");
  if (!fits) throw new Unusable(`${what} names an algorithm of another kind of key`);
  return alg;
}
