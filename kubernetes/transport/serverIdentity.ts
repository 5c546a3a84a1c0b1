import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { PeerCertificate } from "node:tls";

/** A certificate that OpenSSL accepts and Go rejects. The gateways, kubectl and the Kubernetes plugin are written in Go. */
export class StrictTlsError extends Error {
  readonly code = "ERR_TLS_CERT_REFUSED_BY_GO";
}

/**
 * The signature algorithms of Go. Node.js crashes with a segmentation fault on a certificate with a key on a curve without a NIST name,
 * such as brainpoolP256r1. With this list a server cannot use one.
 */
export const signatureAlgorithms = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
].join(":");

/**
 * Applies the stricter rules of Go's crypto/x509 to a certificate chain that OpenSSL has accepted. For the option `checkServerIdentity`.
 *
 * @see https://pkg.go.dev/crypto/x509#Certificate.Verify
 */
export function checkServerIdentity(host: string, peer: PeerCertificate): Error | undefined {
  const chain = chainOf(peer);
  const [leaf] = chain;
  if (leaf === undefined) return new StrictTlsError("it sends no certificate");
  for (const [index, certificate] of chain.entries()) {
    const problem = problemOf(certificate);
    if (problem !== undefined) {
      const which = index === 0 ? "its certificate" : "a CA certificate in its chain";
      return new StrictTlsError(`${which} ${problem}`);
    }
  }
  if (namesHost(leaf, host)) return undefined;
  return Object.assign(new Error("the certificate does not carry the name"), {
    code: "ERR_TLS_CERT_ALTNAME_INVALID",
    cert: peer,
  });
}

/** Only subject alternative names count; a wildcard stands for one whole label. */
function namesHost(certificate: X509Certificate, host: string): boolean {
  if (isIP(host)) return certificate.checkIP(host) !== undefined;
  return certificate.checkHost(host.replace(/\.$/, ""), { subject: "never", partialWildcards: false }) !== undefined;
}

function chainOf(peer: PeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: (PeerCertificate & { readonly issuerCertificate?: PeerCertificate }) | undefined = peer;
  while (next?.raw !== undefined) {
    const certificate = new X509Certificate(next.raw);
    if (chain.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)) break;
    chain.push(certificate);
    next = next.issuerCertificate;
  }
  return chain;
}

function problemOf({ serialNumber, subjectAltName = "" }: X509Certificate): string | undefined {
  if (serialNumber.startsWith("-")) return "has a negative serial number";
  // Node.js quotes names with special characters and escapes what is not ASCII.
  return /<invalid|\\u00[89a-f]/.test(subjectAltName) ? "has a malformed alternative name" : undefined;
}
