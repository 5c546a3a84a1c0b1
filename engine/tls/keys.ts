import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

export const algorithms = ["RSA", "ECDSA", "ED25519"] as const;
export type Algorithm = (typeof algorithms)[number];

export const curveNames = ["P224", "P256", "P384", "P521"] as const;
export type CurveName = (typeof curveNames)[number];

/** OpenSSL's names of the curves, and the digest that a signature with them is made over. */
const curves: Readonly<Record<CurveName, { readonly name: string; readonly digest: string }>> = {
  P224: { name: "secp224r1", digest: "sha256" },
  P256: { name: "prime256v1", digest: "sha256" },
  P384: { name: "secp384r1", digest: "sha384" },
  P521: { name: "secp521r1", digest: "sha512" },
};

/** Sizes of RSA keys in bits: below, no API server takes them; above, OpenSSL makes none. */
export const rsaBitsRange = { least: 1_024, most: 16_384 } as const;

const generate = promisify(generateKeyPair);

/** Makes a private key, off the main thread. */
export async function generateKey(algorithm: Algorithm, rsaBits: number, curve: CurveName): Promise<KeyObject> {
  switch (algorithm) {
    case "RSA":
      return (await generate("rsa", { modulusLength: rsaBits })).privateKey;
    case "ECDSA":
      return (await generate("ec", { namedCurve: curves[curve].name })).privateKey;
    case "ED25519":
      return (await generate("ed25519")).privateKey;
  }
}

/** Reads an unencrypted private key in PEM: PKCS#1, SEC1 or PKCS#8. Undefined for anything else. */
export function readKey(keyPem: string): KeyObject | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch {
    return undefined; // What OpenSSL says of it helps nobody, and is not ours to repeat.
  }
  return key.asymmetricKeyType === "ec" && !curveOf(key) ? undefined : algorithmOf(key) && key;
}

export function algorithmOf(key: KeyObject): Algorithm | undefined {
  const names: Readonly<Record<string, Algorithm>> = { rsa: "RSA", ec: "ECDSA", ed25519: "ED25519" };
  return names[key.asymmetricKeyType ?? ""];
}

/** The digest to sign with; null for Ed25519, which has its own. */
export function digestOf(key: KeyObject): string | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  return curveOf(key)?.digest ?? "sha256";
}

/** The SubjectPublicKeyInfo in DER. */
export function publicDer(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: "spki", format: "der" });
}

function curveOf(key: KeyObject) {
  return Object.values(curves).find(({ name }) => name === key.asymmetricKeyDetails?.namedCurve);
}
