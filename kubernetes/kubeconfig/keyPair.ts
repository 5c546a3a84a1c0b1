import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/**
 * Says why a client certificate and a private key, both PEM, cannot be used together; undefined if they can.
 *
 * OpenSSL does not compare a certificate with a key of another type: it completes the TLS handshake without a client certificate.
 */
export function pairProblem(certPem: string, keyPem: string): string | undefined {
  const certificate = attempt(() => new X509Certificate(certPem));
  if (certificate === undefined) return "the certificate is not a PEM certificate";
  const key = attempt(() => createPrivateKey(keyPem));
  if (key === undefined) return "the key is not a PEM private key, or it is encrypted";
  if (attempt(() => certificate.checkPrivateKey(key))) return undefined;
  const certified = keyType(attempt(() => certificate.publicKey));
  const given = keyType(key);
  return certified === given
    ? `the certificate was issued for another ${given} key`
    : `the certificate was issued for ${article(certified)} ${certified} key, and the key is ${article(given)} ${given} key`;
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

function keyType(key: KeyObject | undefined): string {
  return key?.asymmetricKeyType?.toUpperCase() ?? "unknown";
}

function article(word: string): string {
  return /^(?:[AEIO]|RSA)/.test(word) ? "an" : "a";
}
