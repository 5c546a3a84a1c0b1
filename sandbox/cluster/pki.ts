import { createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { certify, type KeyPair } from "./certificate.ts";

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

/** DNS names and addresses of the API server: for clients on this machine and, with a node, for pods. */
const servingNames = [
  "localhost",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
  "127.0.0.1",
  "::1",
  "10.0.0.1",
  "10.244.0.1",
];

export const tenYearsSeconds = 10 * 365 * 24 * 3600;
/** Tolerance for slow clocks of clients. */
const backdateSeconds = 300;

const generateRsa = promisify(generateKeyPair);

async function newKey(): Promise<KeyObject> {
  return (await generateRsa("rsa", { modulusLength: 2048 })).privateKey;
}

/** Creates all keys and certificates (valid for ten years) of a sandbox. */
export async function makePki(): Promise<SandboxPki> {
  const keys = Promise.all([newKey(), newKey(), newKey(), newKey(), newKey()]);
  const [servingCaKey, clientCaKey, servingKey, adminKey, accountKey] = await keys;
  const servingCa = certify(servingCaKey, { commonName: "k8sauth-sandbox-serving-ca", ...validFor(tenYearsSeconds) });
  const clientCa = certify(clientCaKey, { commonName: "k8sauth-sandbox-client-ca", ...validFor(tenYearsSeconds) });
  return {
    servingCa,
    clientCa,
    serving: servingCertificate(servingKey, servingCa, "kube-apiserver", servingNames),
    admin: clientCertificate(adminKey, clientCa, {
      commonName: "kubernetes-admin",
      organizations: ["system:masters"],
      ttlSeconds: tenYearsSeconds,
    }),
    serviceAccountKeyPem: accountKey.export({ type: "pkcs8", format: "pem" }).toString(),
    serviceAccountPublicPem: createPublicKey(accountKey).export({ type: "spki", format: "pem" }).toString(),
  };
}

/** Creates a key and a certificate of the sandbox's client CA for a user. */
export async function issueClientCertificate(ca: KeyPair, options: ClientCertificateOptions): Promise<KeyPair> {
  return clientCertificate(await newKey(), ca, options);
}

/** Creates a key and a certificate for a server with the given DNS names and addresses, valid for ten years. */
export async function issueServingCertificate(
  ca: KeyPair,
  commonName: string,
  names: readonly string[],
): Promise<KeyPair> {
  return servingCertificate(await newKey(), ca, commonName, names);
}

function servingCertificate(key: KeyObject, issuer: KeyPair, commonName: string, names: readonly string[]): KeyPair {
  return certify(key, { commonName, issuer, names, usage: "server", ...validFor(tenYearsSeconds) });
}

function clientCertificate(key: KeyObject, issuer: KeyPair, options: ClientCertificateOptions): KeyPair {
  const { ttlSeconds = 3600, ...subject } = options;
  return certify(key, { ...subject, issuer, usage: "client", ...validFor(ttlSeconds) });
}

/** Zero or less for a validity that has ended. */
function validFor(seconds: number): { readonly notBeforeMs: number; readonly notAfterMs: number } {
  return { notBeforeMs: (Math.min(0, seconds) - backdateSeconds) * 1000, notAfterMs: seconds * 1000 };
}
