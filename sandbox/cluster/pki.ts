import { constants, createPublicKey, generateKeyPair, type KeyObject, privateEncrypt, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import forge from "node-forge";

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface SandboxPki {
  /** CA of the API server's certificate. */
  readonly servingCa: KeyPair;
  /** CA of client certificates, with which the controller manager signs requests. */
  readonly clientCa: KeyPair;
  readonly serving: KeyPair;
  /** `kubernetes-admin` in `system:masters`. */
  readonly admin: KeyPair;
  /** Signs ServiceAccount tokens. PKCS #8. */
  readonly serviceAccountKeyPem: string;
  /** SubjectPublicKeyInfo. */
  readonly serviceAccountPublicPem: string;
}

export interface ClientCertificateOptions {
  /** The user's name. */
  readonly commonName: string;
  /** The user's groups. */
  readonly organizations?: readonly string[];
  /** Lifetime in seconds; zero or less for an expired certificate. @default 3600 */
  readonly ttlSeconds?: number;
}

/** Addresses of the API server: for clients on this machine and, with a node, for pods. */
const servingNames = [
  "localhost",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];
const servingAddresses = ["127.0.0.1", "::1", "10.0.0.1", "10.244.0.1"];

export const tenYearsSeconds = 10 * 365 * 24 * 3600;
/** Tolerance for slow clocks of clients. */
const backdateSeconds = 300;

const generateRsa = promisify(generateKeyPair);

async function newKey(): Promise<KeyObject> {
  return (await generateRsa("rsa", { modulusLength: 2048 })).privateKey;
}

/** Creates all keys (RSA 2048) and certificates (valid for ten years) of a sandbox. */
export async function makePki(): Promise<SandboxPki> {
  const [servingCaKey, clientCaKey, servingKey, adminKey, accountKey] = await Promise.all([
    newKey(),
    newKey(),
    newKey(),
    newKey(),
    newKey(),
  ]);
  const servingCa = selfSigned("k8sauth-sandbox-serving-ca", servingCaKey as KeyObject);
  const clientCa = selfSigned("k8sauth-sandbox-client-ca", clientCaKey as KeyObject);
  return {
    servingCa,
    clientCa,
    serving: servingCertificate(servingKey as KeyObject, servingCa, {
      commonName: "kube-apiserver",
      names: servingNames,
      addresses: servingAddresses,
    }),
    admin: clientCertificate(adminKey as KeyObject, clientCa, {
      commonName: "kubernetes-admin",
      organizations: ["system:masters"],
      ttlSeconds: tenYearsSeconds,
    }),
    serviceAccountKeyPem: pem(accountKey as KeyObject),
    serviceAccountPublicPem: createPublicKey(accountKey as KeyObject)
      .export({ type: "spki", format: "pem" })
      .toString(),
  };
}

/** Creates a key and a certificate of the sandbox's client CA for a user. */
export async function issueClientCertificate(ca: KeyPair, options: ClientCertificateOptions): Promise<KeyPair> {
  return clientCertificate(await newKey(), ca, options);
}

export interface ServingCertificateOptions {
  readonly commonName: string;
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

/** Creates a key and a certificate for a server, valid for ten years. */
export async function issueServingCertificate(ca: KeyPair, options: ServingCertificateOptions): Promise<KeyPair> {
  return servingCertificate(await newKey(), ca, options);
}

function servingCertificate(key: KeyObject, ca: KeyPair, options: ServingCertificateOptions): KeyPair {
  const altNames = [
    ...options.names.map((value) => ({ type: 2, value })),
    ...options.addresses.map((ip) => ({ type: 7, ip })),
  ];
  return sign(key, ca, {
    subject: [{ shortName: "CN", value: options.commonName }],
    ttlSeconds: tenYearsSeconds,
    extensions: [
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames },
    ],
  });
}

function clientCertificate(key: KeyObject, ca: KeyPair, options: ClientCertificateOptions): KeyPair {
  return sign(key, ca, {
    subject: [
      ...(options.organizations ?? []).map((value) => ({ shortName: "O", value })),
      { shortName: "CN", value: options.commonName },
    ],
    ttlSeconds: options.ttlSeconds ?? 3600,
    extensions: [{ name: "extKeyUsage", clientAuth: true }],
  });
}

interface Template {
  readonly subject: forge.pki.CertificateField[];
  readonly ttlSeconds: number;
  readonly extensions: readonly object[];
}

function selfSigned(commonName: string, key: KeyObject): KeyPair {
  const subject = [{ shortName: "CN", value: commonName }];
  const extensions = [
    { name: "basicConstraints", cA: true, critical: true },
    { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    { name: "subjectKeyIdentifier" },
  ];
  return {
    certPem: make(key, { subject, ttlSeconds: tenYearsSeconds, extensions }, subject, pem(key)),
    keyPem: pem(key),
  };
}

function sign(key: KeyObject, ca: KeyPair, template: Template): KeyPair {
  const caCert = forge.pki.certificateFromPem(ca.certPem);
  const extensions = [
    { name: "basicConstraints", cA: false, critical: true },
    { name: "keyUsage", digitalSignature: true, keyEncipherment: true, critical: true },
    { name: "authorityKeyIdentifier", keyIdentifier: caCert.generateSubjectKeyIdentifier().getBytes() },
    ...template.extensions,
  ];
  return {
    certPem: make(key, { ...template, extensions }, caCert.subject.attributes, ca.keyPem),
    keyPem: pem(key),
  };
}

function make(key: KeyObject, template: Template, issuer: forge.pki.CertificateField[], signerPem: string): string {
  const cert = forge.pki.createCertificate();
  const publicPem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  cert.publicKey = forge.pki.publicKeyFromPem(publicPem);
  // Positive (RFC 5280, 4.1.2.2) and without a leading zero byte, which DER forbids: the first byte is 40 to 4f.
  cert.serialNumber = `4${randomBytes(16).toString("hex").slice(1)}`;
  const now = Date.now();
  const end = now + template.ttlSeconds * 1000;
  cert.validity.notAfter = new Date(end);
  cert.validity.notBefore = new Date(Math.min(now, end) - backdateSeconds * 1000);
  cert.setSubject(template.subject);
  cert.setIssuer(issuer);
  cert.setExtensions([...template.extensions]);
  cert.sign(nativeSigner(signerPem) as unknown as forge.pki.rsa.PrivateKey, forge.md.sha256.create());
  return forge.pki.certificateToPem(cert);
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

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
