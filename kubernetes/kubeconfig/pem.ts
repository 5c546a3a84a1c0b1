import { X509Certificate } from "node:crypto";
import { KubeError } from "../errors.ts";

/**
 * The certificates of a PEM bundle, in order, one line break at the end, what stands around them left out.
 *
 * @throws KubeError KUBECONFIG_CA_INVALID when there is none, or one cannot be read
 */
export function certificates(pem: string, owner: string): string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  const clean = blocks.map((block) => block.replace(/[ \t\r]+$/gm, "").replace(/^[ \t]+/gm, ""));
  if (clean.length > 0 && clean.every(isCertificate)) return `${clean.join("\n")}\n`;
  throw new KubeError(
    "KUBECONFIG_CA_INVALID",
    clean.length === 0
      ? `The CA of ${owner} holds no certificate.`
      : `The CA of ${owner} holds a certificate that cannot be read.`,
    { remedy: "Expected PEM, with one or more BEGIN CERTIFICATE blocks (base64 of it in certificate-authority-data)." },
  );
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== null;
  } catch {
    return false;
  }
}
