import { pemBlocks, toPem } from "../../kubernetes/pem.ts";
import { rfc3339 } from "../lifetime.ts";
import { ProviderError } from "../protocol/errors.ts";
import { DerError } from "../x509/der.ts";
import { samePublicKey } from "../x509/samePublicKey.ts";
import { type Certificate, commonNames, nameText, organizations, readCertificate } from "../x509/x509.ts";
import type { CertificateSpec } from "./signingObject.ts";

/** A certificate from a signer. */
export interface IssuedCertificate {
  readonly leaf: Certificate;
  /** The leaf, then the intermediate CAs. */
  readonly pem: string;
}

/** Allowed difference of clocks, in milliseconds. */
const skewMs = 10 * 60_000;

/**
 * Reads the content of `status.certificate`: the first block is the certificate, the others are intermediate CAs.
 *
 * @see https://pkg.go.dev/k8s.io/api/certificates/v1#CertificateSigningRequestStatus
 * @throws ProviderError CERTIFICATE_REJECTED
 */
export async function readIssued(text: string): Promise<IssuedCertificate> {
  const blocks = pemBlocks(text);
  const ders = blocks.map(({ label, der }, index) => {
    if (label === "CERTIFICATE" && der !== undefined) return der;
    throw rejected(`block ${index + 1} of ${blocks.length} is no certificate in PEM`);
  });
  try {
    const [leaf, ...others] = await Promise.all(ders.map(readCertificate));
    if (leaf === undefined) throw rejected("it holds no PEM");
    const notCa = others.findIndex(({ isCa }) => !isCa);
    if (notCa >= 0) throw rejected(`block ${notCa + 2} of ${blocks.length} is no CA's certificate`);
    if (others.length > 0 && !others.some(({ x509 }) => leaf.x509.verify(x509.publicKey))) {
      throw rejected("none of the intermediate CAs signed it");
    }
    return { leaf, pem: ders.map((der) => toPem("CERTIFICATE", der)).join("") };
  } catch (error) {
    if (error instanceof DerError) throw rejected(error.message);
    throw error;
  }
}

/**
 * Compares the certificate with its specification. The signer may choose the dates, and omit attributes of the subject that the API server
 * ignores. It may not add anything.
 *
 * @param now the server's own time
 * @throws ProviderError CERTIFICATE_REJECTED with every difference
 */
export function requireMatch({ leaf }: IssuedCertificate, wanted: CertificateSpec, now: Date): void {
  const wrong: string[] = [];
  const { request, usages } = wanted;
  const { x509, subject } = leaf;
  if (!samePublicKey(x509.publicKey, request.publicKey)) wrong.push("it is for another key");
  const [names, groups] = [commonNames(subject), organizations(subject)];
  const added = subject.some(
    ({ oid, value }) => !request.subject.some((asked) => asked.oid === oid && asked.value === value),
  );
  const sameUser = names.length === 1 && names[0] === request.commonName;
  if (!sameUser || groups.join("\0") !== request.organizations.join("\0") || added) {
    wrong.push(
      `its subject is ${JSON.stringify(nameText(subject))} instead of ${JSON.stringify(nameText(request.subject))}`,
    );
  }
  if (leaf.isCa) wrong.push("it is the certificate of a CA");
  if (!leaf.altNames.every((name) => request.altNames.some((asked) => asked.equals(name)))) {
    wrong.push("it has subject alternative names that were not requested");
  }
  const extended = leaf.extendedKeyUsages ?? [];
  if (!extended.includes("client auth")) wrong.push('its extended usages lack "client auth"');
  const unrequested = [...extended, ...(leaf.keyUsages ?? [])].filter((usage) => !usages.includes(usage));
  if (unrequested.length > 0) wrong.push(`it may be used for ${unrequested.join(", ")}, which was not requested`);
  if (
    leaf.keyUsages !== undefined &&
    !leaf.keyUsages.includes("digital signature") &&
    usages.includes("digital signature")
  ) {
    wrong.push('its usages lack "digital signature"');
  }
  const { validFromDate: notBefore, validToDate: notAfter } = x509;
  if (notBefore.getTime() > now.getTime() + skewMs) {
    wrong.push(`it is valid from ${rfc3339(notBefore)}, and the API server's clock says ${rfc3339(now)}`);
  }
  if (notAfter.getTime() <= now.getTime() || notAfter <= notBefore) {
    wrong.push(`it was valid until ${rfc3339(notAfter)}, and the API server's clock says ${rfc3339(now)}`);
  }
  if (wrong.length > 0) throw rejected(wrong.join("; "));
}

function rejected(why: string): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REJECTED",
    `The signer's certificate is not what was requested: ${why}.`,
    "It was discarded. Check the signer, and webhooks that change CertificateSigningRequests; then run up again.",
  );
}
