/** Short-lived certificates, for servers that the process itself runs. */
import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";

export interface Identity {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface CertificateOptions {
  readonly commonName: string;
  /** Issuer. @default none: the certificate is a self-signed CA */
  readonly issuer?: Identity;
  /** Whether a certificate with an issuer is a CA too. */
  readonly authority?: boolean;
  /** DNS names and IP addresses. */
  readonly names?: readonly string[];
  /** Start of its validity, in milliseconds from now. @default an hour ago */
  readonly notBeforeMs?: number;
  /** Expiry, in milliseconds from now. @default in an hour */
  readonly notAfterMs?: number;
}

const hourMs = 3_600_000;
let serial = 1;

/** Creates an RSA key of 2048 bits and a certificate for it, both PEM. */
export function makeCertificate(options: CertificateOptions): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.publicKeyFromPem(publicKey);
  certificate.serialNumber = (serial++).toString(16).padStart(2, "0");
  certificate.validity.notBefore = new Date(Date.now() + (options.notBeforeMs ?? -hourMs));
  certificate.validity.notAfter = new Date(Date.now() + (options.notAfterMs ?? hourMs));
  const subject = [{ name: "commonName", value: options.commonName }];
  const issuer = options.issuer && forge.pki.certificateFromPem(options.issuer.certPem);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer ? issuer.subject.attributes : subject);
  certificate.setExtensions(
    issuer && !options.authority
      ? [
          {
            name: "subjectAltName",
            altNames: (options.names ?? []).map((name) =>
              /^[\d.]+$/.test(name) ? { type: 7, ip: name } : { type: 2, value: name },
            ),
          },
        ]
      : [{ name: "basicConstraints", cA: true, critical: true }],
  );
  certificate.sign(forge.pki.privateKeyFromPem(options.issuer?.keyPem ?? privateKey), forge.md.sha256.create());
  return { certPem: forge.pki.certificateToPem(certificate), keyPem: privateKey };
}
