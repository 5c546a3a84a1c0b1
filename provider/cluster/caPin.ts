import { createHash, X509Certificate } from "node:crypto";
import type { ServerProbe } from "../../kubernetes/cluster/probe.ts";
import { caCertificates } from "../../kubernetes/kubeconfig/caCertificates.ts";
import { pemBlocks } from "../../kubernetes/pem.ts";
import { ProviderError } from "../protocol/errors.ts";

/** Path at which Rancher publishes its CA without authentication, as `{"value": PEM}`. */
export const rancherCaPath = "/v3/settings/cacerts";

/**
 * Parses a pin: hexadecimal with or without colons, or base64, with or without the prefix "sha256:" or "sha256/".
 *
 * @returns 64 hexadecimal digits; undefined if the text is not a SHA-256
 */
export function pinDigest(pin: string): string | undefined {
  const text = pin.trim().replace(/^sha-?256[:/]/i, "");
  const hex = text.replaceAll(":", "").toLowerCase();
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  if (!/^[\w+/-]{43}=?$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 32 ? bytes.toString("hex") : undefined;
}

/** A CA that was read from the server. */
export interface FoundCa {
  readonly caPem: string;
  /** How it was identified. */
  readonly by: "certificate" | "public key" | "Rancher checksum" | "first use";
}

/**
 * Finds the CA certificate with the pin among those that the server sent and those of Rancher's `cacerts`. The pin is the SHA-256 of the
 * certificate's DER, of its public key (SubjectPublicKeyInfo, as in kubeadm), or Rancher's checksum of `cacerts`. The server's own
 * certificate is never accepted: it is renewed often and is not a CA.
 *
 * @throws ProviderError CLUSTER_CA_PIN_MISMATCH, CLUSTER_CA_NOT_SHOWN
 */
export function pinnedCa(host: string, shown: ServerProbe, pin: string): FoundCa {
  const digest = pinDigest(pin) ?? "";
  const rancher = rancherCa(shown);
  const authorities = [...shown.chain.filter(isAuthority), ...(rancher?.certificates ?? [])];
  for (const certificate of authorities) {
    if (sha256(certificate.raw) === digest) return { caPem: pemOf(certificate), by: "certificate" };
    if (publicKeyDigest(certificate) === digest) return { caPem: pemOf(certificate), by: "public key" };
  }
  if (rancher?.checksums.includes(digest)) return { caPem: rancher.caPem, by: "Rancher checksum" };
  const [leaf] = shown.chain;
  if (leaf && !isAuthority(leaf) && [sha256(leaf.raw), publicKeyDigest(leaf)].includes(digest)) {
    throw new ProviderError(
      "CLUSTER_CA_PIN_MISMATCH",
      `The pin ${withColons(digest)} is that of the certificate of ${host} itself, not of its CA.`,
      authorities.length > 0 ? `Pin its CA: ${authorities.map(describeCertificate).join("; ")}.` : setCaPem,
    );
  }
  if (authorities.length === 0) throw caNotShown(host, shown);
  throw new ProviderError(
    "CLUSTER_CA_PIN_MISMATCH",
    `${host} shows no CA with the pin ${withColons(digest)}. It shows ${authorities.map(describeCertificate).join("; ")}${rancher ? `; its ${rancherCaPath} has the checksum ${rancher.checksums[0]}` : ""}.`,
    "Another server may be answering at this address. If the CA was changed on purpose, get its fingerprint over a trusted channel and set the pin to it.",
  );
}

/**
 * Finds the CA to trust at first use: a root that the server sent, else Rancher's `cacerts`, else the last CA certificate that it sent.
 *
 * @throws ProviderError CLUSTER_CA_NOT_SHOWN
 */
export function firstUseCa(host: string, shown: ServerProbe): FoundCa {
  const authorities = shown.chain.filter(isAuthority);
  const root = authorities.find((certificate) => certificate.checkIssued(certificate));
  const rancher = rancherCa(shown);
  const last = authorities.at(-1);
  const by = "first use";
  if (root) return { caPem: pemOf(root), by };
  if (rancher) return { caPem: rancher.caPem, by };
  if (last) return { caPem: pemOf(last), by };
  throw caNotShown(host, shown);
}

/** Describes a certificate by its subject and fingerprints. */
export function describeCertificate(certificate: X509Certificate): string {
  return `${certificate.subject.replaceAll("\n", ", ")} (SHA-256 ${certificate.fingerprint256}, public key ${withColons(publicKeyDigest(certificate))})`;
}

function isAuthority(certificate: X509Certificate): boolean {
  return certificate.ca;
}

function caNotShown(host: string, shown: ServerProbe): ProviderError {
  const [leaf] = shown.chain;
  return new ProviderError(
    "CLUSTER_CA_NOT_SHOWN",
    `${host} sends ${leaf ? `the certificate ${describeCertificate(leaf)}` : "no certificate"} and no CA. ${describeRancherResponse(shown)}`,
    setCaPem,
  );
}

const setCaPem =
  'Set "caPem" to the CA itself. It is in the kubeconfig of the cluster, or the server\'s administrator has it.';

function describeRancherResponse({ status, location, contentType }: ServerProbe): string {
  const type = contentType.split(";")[0] || "no content type";
  return location
    ? `It redirects ${rancherCaPath} (${status}), and redirects are not followed.`
    : `Its ${rancherCaPath} answers ${status} with ${type}, which is no CA of Rancher's.`;
}

interface RancherCa {
  readonly caPem: string;
  readonly certificates: readonly X509Certificate[];
  /** SHA-256 of the text with a final newline, as Rancher computes it, and of the text as it is. */
  readonly checksums: readonly string[];
}

function rancherCa({ status, body }: ServerProbe): RancherCa | undefined {
  if (status !== 200) return undefined;
  try {
    const { value } = JSON.parse(body) as { value?: unknown };
    if (typeof value !== "string" || value.trim() === "") return undefined;
    const caPem = caCertificates(value, rancherCaPath);
    const blocks = pemBlocks(caPem).map(({ text }) => new X509Certificate(text));
    if (!blocks.some(isAuthority)) return undefined;
    const withNewline = value.endsWith("\n") ? value : `${value}\n`;
    return { caPem, certificates: blocks.filter(isAuthority), checksums: [sha256(withNewline), sha256(value)] };
  } catch {
    return undefined;
  }
}

function publicKeyDigest(certificate: X509Certificate): string {
  return sha256(certificate.publicKey.export({ type: "spki", format: "der" }));
}

function sha256(data: Buffer | string): string {
  return createHash("sha256").update(data).digest("hex");
}

function withColons(hex: string): string {
  return hex.toUpperCase().replace(/..(?=.)/g, "$&:");
}

function pemOf(certificate: X509Certificate): string {
  return caCertificates(certificate.toString(), "the server's chain");
}
