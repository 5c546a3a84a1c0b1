import { reservedPrefix } from "../../kubernetes/cluster/reservedNames.ts";
import { apiServerClientSigner } from "../../kubernetes/cluster/signers.ts";
import { ProviderError } from "../protocol/errors.ts";
import { same } from "../protocol/fields.ts";
import type { CertificationRequest } from "./csr.ts";

/** Usages that this signer signs. */
const clientUsages = ["digital signature", "key encipherment", "client auth"];

/**
 * Refuses a request that should never be approved: for a name that is empty, too long, reserved by Kubernetes or has invisible characters, for a
 * CA, and for alternative names that the API server's signer would sign.
 *
 * @throws ProviderError CSR_SUBJECT_REFUSED, CSR_EXTENSION_REFUSED
 */
export function requireAllowed(request: CertificationRequest, signerName: string): void {
  const refuse = (why: string, remedy: string) => {
    throw new ProviderError("CSR_SUBJECT_REFUSED", `The subject of "csrPem" ${why}.`, remedy);
  };
  if (request.commonName === "") refuse("has no common name", "The common name is the user's name: set one.");
  const names = [
    ["common name", request.commonName] as const,
    ...request.organizations.map((value) => ["organization", value] as const),
  ];
  for (const [what, value] of names) {
    const bytes = Buffer.byteLength(value);
    if (bytes === 0 || bytes > 64) {
      refuse(
        `has ${what === "common name" ? "a" : "an"} ${what} of ${bytes} bytes`,
        "Expected 1 to 64 (RFC 5280, A.1).",
      );
    }
    const reserved = reservedPrefix(value);
    if (reserved !== undefined) {
      refuse(
        `has the ${what} ${JSON.stringify(value)}`,
        `Names that start with "${reserved}" belong to Kubernetes and may have all rights: use another name.`,
      );
    }
  }
  // With control, format and private characters or line separators, the name that is shown is not the name that is signed.
  const unprintable = request.subject.find(({ value }) => /[\p{C}\p{Zl}\p{Zp}]|^\s|\s$/u.test(value));
  if (unprintable !== undefined) {
    refuse(
      `has the value ${JSON.stringify(unprintable.value)}`,
      "Expected no control or format characters, and no leading or trailing blanks.",
    );
  }
  if (request.wantsCa) {
    throw new ProviderError(
      "CSR_EXTENSION_REFUSED",
      '"csrPem" asks for the certificate of a CA.',
      "Leave CA:TRUE out.",
    );
  }
  if (signerName === apiServerClientSigner && request.altNames.length > 0) {
    throw new ProviderError(
      "CSR_EXTENSION_REFUSED",
      `"csrPem" asks for ${request.altNames.length} subject alternative name(s). The signer would sign them. The API server ignores them, but other servers that trust the cluster's CA may use them.`,
      "Create the request without them: the common name is the user, organizations are its groups.",
    );
  }
}

/** Default usages: those that TLS needs for this type of key. */
export function defaultUsages(request: CertificationRequest): string[] {
  return request.publicKey.asymmetricKeyType === "rsa"
    ? [...clientUsages]
    : clientUsages.filter((usage) => usage !== "key encipherment");
}

/** Why these usages do not fit a client certificate; undefined if they do. */
export function usagesFailure(usages: readonly string[], signerName: string): string | undefined {
  const known = `Expected "client auth", and as needed "digital signature" and "key encipherment".`;
  if (new Set(usages).size !== usages.length) return `"usages" has a usage twice. ${known}`;
  if (!usages.includes("client auth")) return `"usages" lacks "client auth". ${known}`;
  const unsupported = usages.filter((usage) => !clientUsages.includes(usage));
  if (signerName === apiServerClientSigner && unsupported.length > 0) {
    return `"usages" has ${unsupported.map((usage) => JSON.stringify(usage)).join(", ")}, for which ${signerName} does not sign. ${known}`;
  }
  return undefined;
}

/** Why this signer cannot sign client certificates; undefined if it can. */
export function signerFailure(signerName: string): string | undefined {
  if (signerName === apiServerClientSigner) return undefined;
  if (signerName.startsWith("kubernetes.io/")) {
    return `"signerName" is ${JSON.stringify(signerName)}, which signs no client certificates for users. Expected "${apiServerClientSigner}", or your own signer.`;
  }
  return signerName.length <= 571 && /^[a-z0-9][a-z0-9.-]*\.[a-z0-9-]+\/[A-Za-z0-9][\w./-]*$/.test(signerName)
    ? undefined
    : `"signerName" is ${JSON.stringify(signerName)}. Expected a domain and a path ("example.com/client").`;
}

/** Whether two lists hold the same texts, in any order. */
export function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return same([...left].sort(), [...right].sort());
}
