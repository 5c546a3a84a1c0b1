/** One block of PEM (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** Undefined for a block whose content is not base64, or that has headers (encrypted keys of old have). */
  readonly der: Buffer | undefined;
}

/** The blocks of a text, in order; line ends of every kind, and text around them is left out. */
export function pemBlocks(text: string): PemBlock[] {
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
  return [...text.matchAll(pattern)].map(([, label = "", body = ""]) => {
    const base64 = body.replace(/\s+/g, "");
    const isBase64 = base64.length > 0 && base64.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
    return { label, der: isBase64 ? Buffer.from(base64, "base64") : undefined };
  });
}

/** PEM with 64 columns and a newline at the end. */
export function toPem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
