import { KubeError } from "../errors.ts";
import { isCertificate, pemBlocks } from "../pem.ts";

/**
 * Returns the certificates of a PEM bundle in order, each line ended by one newline. Text and blocks of other kinds are left out.
 *
 * @param owner for messages: what the CA belongs to
 * @throws KubeError KUBECONFIG_CA_INVALID for a bundle without certificates, or with one that cannot be read
 */
export function caCertificates(pem: string, owner: string): string {
  const blocks = pemBlocks(pem).filter(({ label }) => label === "CERTIFICATE");
  if (blocks.length > 0 && blocks.every(({ text }) => isCertificate(text))) {
    return blocks.map(({ text }) => text).join("");
  }
  throw new KubeError(
    "KUBECONFIG_CA_INVALID",
    blocks.length === 0
      ? `The CA of ${owner} holds no certificate.`
      : `The CA of ${owner} holds a certificate that cannot be read.`,
    { remedy: "Expected PEM, with one or more BEGIN CERTIFICATE blocks (base64 of it in certificate-authority-data)." },
  );
}
