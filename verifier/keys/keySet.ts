/** Parses public keys of an issuer, from JWKS and PEM. Each key has one algorithm. */
import { createHash, createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from "node:crypto";
import { VerifierError } from "../errors.ts";
import { algorithms } from "../token/decode.ts";
import { rsaProblem } from "./rsa.ts";

export interface VerificationKey {
  /** `undefined` for PEM keys and JWKs without one. Such a key is tried for tokens with any `kid`. */
  readonly kid: string | undefined;
  readonly algorithm: string;
  readonly key: KeyObject;
  /** SHA-256 of the public key in DER, base64url. Kubernetes uses it as key id. */
  readonly thumbprint: string;
}

export interface KeySet {
  readonly keys: readonly VerificationKey[];
  /** Why keys were skipped, for the log. */
  readonly leftOut: readonly string[];
}

const maxKeys = 100;
/** Most keys that are tried for one token. */
const maxTries = 8;
const minRsaBits = 2048;
const maxRsaBits = 8192;
const curves: Readonly<Record<string, string>> = { prime256v1: "ES256", secp384r1: "ES384", secp521r1: "ES512" };
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/**
 * Parses a JWKS (RFC 7517). Keys that cannot verify tokens are skipped, as section 5 of the RFC recommends. A set without a usable key
 * is an error.
 *
 * @throws VerifierError KEYS_MALFORMED, KEYS_NONE_USABLE
 */
export function parseJwks(text: string, where: string): KeySet {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new VerifierError("KEYS_MALFORMED", `${where} is not JSON: expected a JWKS.`);
  }
  const list = (parsed as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(list) || list.length > maxKeys) {
    throw new VerifierError("KEYS_MALFORMED", `${where} is not a JWKS: expected "keys", a list of up to ${maxKeys}.`);
  }
  return keySetOf(
    where,
    list.map((jwk, at) => () => fromJwk(jwk, `key ${at}`)),
  );
}

/**
 * Parses a file of PEM public keys (PKCS #1 or SPKI) and certificates, or a JWKS.
 *
 * @throws VerifierError KEYS_MALFORMED, KEYS_NONE_USABLE
 */
export function parseKeyFile(text: string, where: string): KeySet {
  if (text.trimStart().startsWith("{")) return parseJwks(text, where);
  const blocks = text.match(/-----BEGIN ([A-Z0-9 ]+)-----[\s\S]+?-----END \1-----/g) ?? [];
  if (blocks.length === 0 || blocks.length > maxKeys) {
    throw new VerifierError(
      "KEYS_MALFORMED",
      `${where} holds no keys: expected up to ${maxKeys} PEM public keys or certificates, or a JWKS.`,
    );
  }
  if (blocks.some((block) => block.includes("PRIVATE KEY"))) {
    throw new VerifierError("KEYS_MALFORMED", `${where} holds a private key. Replace it by its public key.`);
  }
  return keySetOf(
    where,
    blocks.map((block, at) => () => fromPem(block, `PEM block ${at}`)),
  );
}

/** Whether the error means that a source was read and has no usable key. */
export function isNoneUsable(error: unknown): error is VerifierError {
  return error instanceof VerifierError && error.code === "KEYS_NONE_USABLE";
}

export function joinKeySets(sets: readonly KeySet[]): KeySet {
  return { keys: sets.flatMap((set) => set.keys), leftOut: sets.flatMap((set) => set.leftOut) };
}

/** Keys that can have signed a token. */
export interface Candidates {
  /** Whether the token's `kid` names a key of the set. Then no other key is tried. */
  readonly named: boolean;
  /** The keys with the token's algorithm. */
  readonly keys: readonly VerificationKey[];
}

/** Returns the keys that a token's `kid` names, by key id or thumbprint, or else those without a key id. */
export function candidates(keys: readonly VerificationKey[], kid: string | undefined, algorithm: string): Candidates {
  const byName = kid === undefined ? [] : keys.filter((key) => (key.kid ?? key.thumbprint) === kid);
  const named = byName.length > 0;
  const fitting = named ? byName : keys.filter((key) => key.kid === undefined);
  return { named, keys: fitting.filter((key) => key.algorithm === algorithm).slice(0, maxTries) };
}

function keySetOf(where: string, parsers: readonly (() => VerificationKey)[]): KeySet {
  const keys: VerificationKey[] = [];
  const leftOut: string[] = [];
  for (const parse of parsers) {
    try {
      keys.push(parse());
    } catch (error) {
      leftOut.push(error instanceof Unusable ? error.message : "a key that cannot be read");
    }
  }
  if (keys.length > 0) return { keys, leftOut };
  const why = leftOut.length > 0 ? ` (${leftOut.join("; ")})` : "";
  throw new VerifierError("KEYS_NONE_USABLE", `${where} holds no key that can verify tokens${why}.`);
}

/** Why a key is skipped. */
class Unusable extends Error {}

function fromJwk(jwk: unknown, what: string): VerificationKey {
  if (typeof jwk !== "object" || jwk === null) throw new Unusable(`${what} is not an object`);
  const { kty, kid, use, alg, key_ops: operations } = jwk as Record<string, unknown>;
  if (kty === "oct" || privateMembers.some((member) => Object.hasOwn(jwk, member)))
    throw new Unusable(`${what} is not public`);
  if (use !== undefined && use !== "sig") throw new Unusable(`${what} is not for signatures`);
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    throw new Unusable(`${what} is not for verifying`);
  }
  if (kid !== undefined && (typeof kid !== "string" || kid === ""))
    throw new Unusable(`${what} has a kid that is not a string`);
  const key = read(() => createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }), what);
  const algorithm = alg === undefined ? algorithmOf(key, what) : declaredAlgorithm(alg, key, what);
  return verificationKey(key, algorithm, kid as string | undefined, what);
}

function fromPem(block: string, what: string): VerificationKey {
  const isCertificate = block.startsWith("-----BEGIN CERTIFICATE");
  const key = read(() => (isCertificate ? new X509Certificate(block).publicKey : createPublicKey(block)), what);
  return verificationKey(key, algorithmOf(key, what), undefined, what);
}

function read(parse: () => KeyObject, what: string): KeyObject {
  try {
    return parse();
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

/** The algorithm of a key without `alg`. Kubernetes uses RSA keys with RS256. */
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
  if (!found || !algorithms.has(found)) throw new Unusable(`${what} has a key type that is not supported`);
  return found;
}

/** The `alg` of a JWK, if it fits the key type. */
function declaredAlgorithm(alg: unknown, key: KeyObject, what: string): string {
  if (typeof alg !== "string" || !algorithms.has(alg))
    throw new Unusable(`${what} has an algorithm that is not supported`);
  const standard = algorithmOf(key, what);
  const fits =
    alg === standard ||
    (standard === "RS256" && /^[RP]S(256|384|512)$/.test(alg)) ||
    (standard === "EdDSA" && alg === "Ed25519");
  if (!fits) throw new Unusable(`${what} has an algorithm of another key type`);
  return alg;
}
