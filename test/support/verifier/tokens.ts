/** Keys and tokens for tests of the verifier: valid ones, and those of an attacker. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicPem: string;
  readonly jwk: Record<string, unknown>;
}

function signingKey(alg: string, pair: { privateKey: KeyObject; publicKey: KeyObject }): SigningKey {
  const der = pair.publicKey.export({ type: "spki", format: "der" });
  // Kubernetes derives key ids in the same way.
  const kid = createHash("sha256").update(der).digest("base64url");
  const publicPem = pair.publicKey.export({ type: "spki", format: "pem" }) as string;
  const jwk = { ...pair.publicKey.export({ format: "jwk" }), kid, alg, use: "sig" };
  return { kid, alg, ...pair, publicPem, jwk };
}

export const rsaKey = (bits = 2048) => signingKey("RS256", generateKeyPairSync("rsa", { modulusLength: bits }));
export const ecKey = (namedCurve = "P-256", alg = "ES256") =>
  signingKey(alg, generateKeyPairSync("ec", { namedCurve }));
export const mlDsaKey = () => signingKey("ML-DSA-44", generateKeyPairSync("ml-dsa-44"));
export const edKey = () => signingKey("EdDSA", generateKeyPairSync("ed25519"));

/** The key of the standard issuer. */
export const goodKey = rsaKey();
/** A key that no issuer publishes. */
export const strangeKey = rsaKey();

export const issuer = "https://issuer.example";
export const audience = "verifier.example";
/** Time of the injected clock of most tests, seconds since 1970. */
export const now = 1_800_000_000;

export const uids = {
  account: "11111111-aaaa-4bbb-8ccc-000000000001",
  pod: "22222222-aaaa-4bbb-8ccc-000000000002",
  node: "33333333-aaaa-4bbb-8ccc-000000000003",
} as const;

/** Claims of a pod's projected token, as in Kubernetes 1.34. */
export function podClaims(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    aud: [audience],
    exp: now + 600,
    iat: now - 10,
    iss: issuer,
    jti: "5f1ad6b0-0000-4000-8000-000000000000",
    "kubernetes.io": {
      namespace: "team-a",
      node: { name: "node-1", uid: uids.node },
      pod: { name: "web-0", uid: uids.pod },
      serviceaccount: { name: "web", uid: uids.account },
    },
    nbf: now - 10,
    sub: "system:serviceaccount:team-a:web",
    ...more,
  };
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

const hashes: Readonly<Record<string, string>> = { "256": "sha256", "384": "sha384", "512": "sha512" };

/** Signs any text with any key under any header. */
export function signRaw(header: unknown, payload: unknown, key: SigningKey, alg = key.alg): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${signatureOf(input, key, alg).toString("base64url")}`;
}

export function signatureOf(input: string, { privateKey }: SigningKey, alg: string): Buffer {
  const data = Buffer.from(input);
  if (alg === "EdDSA" || alg.startsWith("ML-DSA")) return sign(null, data, privateKey);
  const hash = hashes[alg.slice(2)];
  if (alg.startsWith("ES")) return sign(hash, data, { key: privateKey, dsaEncoding: "ieee-p1363" });
  // RSA_PKCS1_PSS_PADDING, salt as long as the digest.
  if (alg.startsWith("PS")) return sign(hash, data, { key: privateKey, padding: 6, saltLength: -1 });
  return sign(hash, data, privateKey);
}

/** A token of the issuer, with changed claims and header parameters. One that is `undefined` is removed. */
export function mint(
  claims: Record<string, unknown> = {},
  key = goodKey,
  header: Record<string, unknown> = {},
): string {
  return signRaw({ alg: key.alg, kid: key.kid, ...header }, podClaims(claims), key);
}
