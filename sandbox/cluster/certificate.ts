/** Keys (RSA 2048) and certificates of sandboxes, stand-ins and tests. */
import {
  constants,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  randomBytes,
} from "node:crypto";
import { isIP } from "node:net";
import forge from "node-forge";

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** CA that signs. @default none: the certificate is a self-signed CA */
  readonly issuer?: KeyPair;
  /** Whether a certificate with an issuer is a CA too. @default false */
  readonly authority?: boolean;
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
  /** Extended key usage. @default none, which permits every use */
  readonly usage?: "server" | "client";
  /** Start of its validity, in milliseconds from now. @default an hour ago */
  readonly notBeforeMs?: number;
  /** Expiry, in milliseconds from now. @default in an hour */
  readonly notAfterMs?: number;
}

const hourMs = 3_600_000;

/** Creates a key and a certificate for it. */
export function makeCertificate(options: CertificateOptions): KeyPair {
  return certify(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey, options);
}

/** Creates a certificate for an RSA key. */
export function certify(key: KeyObject, options: CertificateOptions): KeyPair {
  const { commonName, organizations = [], issuer, notBeforeMs = -hourMs, notAfterMs = hourMs } = options;
  const keyPem = key.export({ type: "pkcs8", format: "pem" }).toString();
  const issuerCertificate = issuer && forge.pki.certificateFromPem(issuer.certPem);
  const certificate = forge.pki.createCertificate();
  const publicPem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicPem);
  // Positive (RFC 5280, 4.1.2.2) and without a leading zero byte, which DER forbids: the first byte is 40 to 4f.
  certificate.serialNumber = `4${randomBytes(16).toString("hex").slice(1)}`;
  certificate.validity.notBefore = new Date(Date.now() + notBeforeMs);
  certificate.validity.notAfter = new Date(Date.now() + notAfterMs);
  const subject = [
    ...organizations.map((value) => ({ shortName: "O", value })),
    { shortName: "CN", value: commonName },
  ];
  certificate.setSubject(subject);
  certificate.setIssuer(issuerCertificate?.subject.attributes ?? subject);
  certificate.setExtensions(extensionsOf(options, issuerCertificate));
  const signer = nativeSigner(issuer?.keyPem ?? keyPem) as unknown as forge.pki.rsa.PrivateKey;
  certificate.sign(signer, forge.md.sha256.create());
  return { certPem: forge.pki.certificateToPem(certificate), keyPem };
}

function extensionsOf(
  { authority = false, names = [], usage }: CertificateOptions,
  issuer: forge.pki.Certificate | undefined,
): object[] {
  const isCa = !issuer || authority;
  return [
    { name: "basicConstraints", cA: isCa, critical: true },
    isCa
      ? { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true }
      : { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    ...(isCa ? [{ name: "subjectKeyIdentifier" }] : []),
    ...(issuer
      ? [{ name: "authorityKeyIdentifier", keyIdentifier: issuer.generateSubjectKeyIdentifier().getBytes() }]
      : []),
    ...(usage ? [{ name: "extKeyUsage", [`${usage}Auth`]: true }] : []),
    ...(names.length > 0 ? [{ name: "subjectAltName", altNames: names.map(altName) }] : []),
  ];
}

/** A GeneralName of RFC 5280: 2 is a DNS name, 7 an IP address. */
function altName(name: string): object {
  return isIP(name) ? { type: 7, ip: name } : { type: 2, value: name };
}

/** DER of DigestInfo for SHA-256 up to the digest (RFC 8017, 9.2, note 1). */
const sha256DigestInfo = Buffer.from("3031300d060960864801650304020105000420", "hex");

/** Signs a certificate of forge with OpenSSL, which is many times faster than forge. */
function nativeSigner(keyPem: string): { sign(md: forge.md.MessageDigest): string } {
  return {
    sign: (md) => {
      const digest = Buffer.from(md.digest().getBytes(), "latin1");
      const key = { key: keyPem, padding: constants.RSA_PKCS1_PADDING };
      return privateEncrypt(key, Buffer.concat([sha256DigestInfo, digest])).toString("latin1");
    },
  };
}
