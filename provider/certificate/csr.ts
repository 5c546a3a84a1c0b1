import { createHash, createPrivateKey, createPublicKey, type KeyObject, verify } from "node:crypto";
import { isEncryptedKey, looksLikePem, pemBlocks, toPem } from "../../kubernetes/pem.ts";
import { rsaProblem } from "../../verifier/keys/rsa.ts";
import { ProviderError } from "../protocol/errors.ts";
import { contextTag, type Der, DerError, inside, readDer, readOid, tags, wholeBits } from "../x509/der.ts";
import { samePublicKey } from "../x509/samePublicKey.ts";
import {
  altNames,
  commonNames,
  type Extension,
  extensionOids,
  type Name,
  organizations,
  readExtensions,
  readName,
  saysCa,
} from "../x509/x509.ts";

/** A certification request (PKCS #10, RFC 2986) with a valid signature. */
export interface CertificationRequest {
  /** PEM as it is sent: one block, 64 columns. */
  readonly pem: string;
  /** SHA-256 of its DER, in hexadecimal. */
  readonly sha256: string;
  readonly publicKey: KeyObject;
  readonly subject: Name;
  /** "" without one. */
  readonly commonName: string;
  readonly organizations: readonly string[];
  /** Subject alternative names, each as DER. */
  readonly altNames: readonly Buffer[];
  /** Whether it requests the certificate of a CA. */
  readonly wantsCa: boolean;
}

/** Digest and type of key by the algorithm of a signature (RFC 4055, RFC 5758, RFC 8410). */
const signatures: Readonly<Record<string, { readonly key: string; readonly digest: string | null }>> = {
  "1.2.840.113549.1.1.11": { key: "rsa", digest: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", digest: "sha384" },
  "1.2.840.113549.1.1.13": { key: "rsa", digest: "sha512" },
  "1.2.840.10045.4.3.2": { key: "ec", digest: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", digest: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", digest: "sha512" },
  "1.3.101.112": { key: "ed25519", digest: null },
};

const extensionRequest = "1.2.840.113549.1.9.14";
const expected = "Expected one PEM block BEGIN CERTIFICATE REQUEST.";

/**
 * Reads a request and verifies that it was signed with its own key.
 *
 * @throws ProviderError CSR_MALFORMED, CSR_SIGNATURE_INVALID, CSR_KEY_WEAK
 */
export async function readRequest(csrPem: string): Promise<CertificationRequest> {
  const der = singleBlock(csrPem);
  try {
    const [info, algorithm, signature] = inside(await readDer(der), tags.sequence);
    // version, subject, subjectPKInfo, attributes [0]
    const [version, subject, spki, attributes] = inside(info, tags.sequence);
    if (version?.tag !== tags.integer || !version.content.equals(Buffer.of(0))) {
      throw new DerError("its version is not 0");
    }
    const publicKey = readPublicKey(spki);
    const [algorithmId] = inside(algorithm, tags.sequence);
    requireSignature(info?.raw ?? Buffer.alloc(0), await readOid(algorithmId), wholeBits(signature), publicKey);
    const name = await readName(subject);
    const extensions = new Map((await requestedExtensions(attributes)).map(({ oid, value }) => [oid, value]));
    const names = commonNames(name);
    if (names.length > 1) throw new DerError("its subject has several common names, of which the API server uses one");
    return {
      pem: toPem("CERTIFICATE REQUEST", der),
      sha256: createHash("sha256").update(der).digest("hex"),
      publicKey,
      subject: name,
      commonName: names[0] ?? "",
      organizations: organizations(name),
      altNames: await altNames(extensions.get(extensionOids.subjectAltName)),
      wantsCa: await saysCa(extensions.get(extensionOids.basicConstraints)),
    };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new ProviderError("CSR_MALFORMED", `"csrPem" is no certification request: ${error.message}.`, expected);
  }
}

function singleBlock(csrPem: string): Buffer {
  const refuse = (why: string, remedy = expected) => new ProviderError("CSR_MALFORMED", `"csrPem" ${why}.`, remedy);
  const blocks = pemBlocks(csrPem);
  const [block] = blocks;
  if (block === undefined) {
    if (looksLikePem(Buffer.from(csrPem, "base64").toString("latin1"))) {
      throw refuse("is the base64 of PEM", "Decode it once.");
    }
    throw refuse("holds no PEM");
  }
  if (blocks.length > 1) throw refuse(`holds ${blocks.length} PEM blocks`);
  // Microsoft's tools and Akeyless write the older label, which Kubernetes does not accept.
  if (block.label !== "CERTIFICATE REQUEST" && block.label !== "NEW CERTIFICATE REQUEST") {
    throw refuse(`holds a PEM block "${block.label}"`);
  }
  if (block.der === undefined) throw refuse("holds a PEM block with headers, or whose content is not base64");
  return block.der;
}

function readPublicKey(spki: Der | undefined): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki?.raw ?? Buffer.alloc(0), format: "der", type: "spki" });
  } catch {
    throw new DerError("its public key cannot be read");
  }
  const why = keyProblem(key);
  if (why === undefined) return key;
  throw new ProviderError(
    "CSR_KEY_WEAK",
    `The key of "csrPem" ${why}.`,
    "Expected RSA of 2048 to 8192 bits with two random prime factors, ECDSA on P-256, P-384 or P-521, or Ed25519.",
  );
}

/** Why a key must not be certified, or why the API server does not accept it; undefined for a good key. */
function keyProblem(key: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "rsa":
      if (modulusLength < 2048) return `is RSA of ${modulusLength} bits, which is too weak`;
      // Go's TLS server refuses larger ones.
      if (modulusLength > 8192) return `is RSA of ${modulusLength} bits, which the API server does not accept`;
      return rsaProblem(key);
    case "ec":
      return ["prime256v1", "secp384r1", "secp521r1"].includes(namedCurve)
        ? undefined
        : `is on the curve ${namedCurve || "of explicit parameters"}`;
    case "ed25519":
      return undefined;
    default:
      return `is of the type ${key.asymmetricKeyType}`;
  }
}

function requireSignature(signed: Buffer, algorithm: string, signature: Buffer, key: KeyObject): void {
  const known = signatures[algorithm];
  if (known === undefined) {
    throw new ProviderError(
      "CSR_SIGNATURE_INVALID",
      `"csrPem" is signed with the algorithm ${algorithm}, which is weak or unknown.`,
      "Expected SHA-256, SHA-384 or SHA-512 with RSA (PKCS #1 v1.5) or ECDSA, or Ed25519.",
    );
  }
  if (known.key === key.asymmetricKeyType && verify(known.digest, signed, key, signature)) return;
  throw new ProviderError(
    "CSR_SIGNATURE_INVALID",
    'The signature of "csrPem" does not verify with its own key: the request was changed, or signed with another key.',
    "Create the request again.",
  );
}

async function requestedExtensions(attributes: Der | undefined): Promise<Extension[]> {
  if (attributes === undefined) return [];
  const lists = await Promise.all(
    inside(attributes, contextTag(0)).map(async (attribute) => {
      const [type, values] = inside(attribute, tags.sequence);
      if ((await readOid(type)) !== extensionRequest) return [];
      return Promise.all(inside(values, tags.set).map(readExtensions));
    }),
  );
  return lists.flat(2);
}

/**
 * Checks that a private key belongs to the request. Errors contain no part of it.
 *
 * @throws ProviderError PRIVATE_KEY_MALFORMED, PRIVATE_KEY_OTHER
 */
export function requireOwnKey(request: CertificationRequest, privateKeyPem: string): void {
  let key: KeyObject;
  try {
    key = createPublicKey(createPrivateKey(privateKeyPem));
  } catch {
    throw new ProviderError(
      "PRIVATE_KEY_MALFORMED",
      `"privateKeyPem" ${isEncryptedKey(privateKeyPem) ? "is encrypted" : "cannot be read"}.`,
      "Expected a private key in PEM (PKCS #8, PKCS #1 or SEC 1) without a passphrase.",
    );
  }
  if (samePublicKey(key, request.publicKey)) return;
  throw new ProviderError(
    "PRIVATE_KEY_OTHER",
    '"privateKeyPem" is not the key of "csrPem".',
    "Set it to the key of this request, or leave it unset: then the certificate is not proved.",
  );
}

/** The user and the groups that a certificate is for. */
export function describeUser({ commonName, organizations }: CertificationRequest): string {
  const user = `user ${JSON.stringify(commonName)}`;
  return organizations.length === 0
    ? `${user} in no group`
    : `${user} in the groups ${organizations.map((name) => JSON.stringify(name)).join(", ")}`;
}
