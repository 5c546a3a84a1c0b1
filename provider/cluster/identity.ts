import { createHash, X509Certificate } from "node:crypto";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";

/**
 * Identifies the cluster by the UID of its namespace kube-system, which never changes. If the deployer may not read the namespace, the hash of
 * the CA is used instead. It changes with the CA. Undefined without a CA.
 */
export async function readUid(client: KubeClient, caPem: string): Promise<string | undefined> {
  try {
    const namespace = await client.get(pathFor("v1", "Namespace", undefined, "kube-system"));
    return namespace.metadata?.uid;
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN", "KUBE_NOT_FOUND")) throw error;
    return caPem === ""
      ? undefined
      : `${caUidPrefix}${createHash("sha256").update(firstCertificate(caPem).raw).digest("hex")}`;
  }
}

/** Prefix of an identity that is the hash of the CA. */
export const caUidPrefix = "ca-sha256-";

function firstCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

/** SHA-256 of the first certificate's DER, in hexadecimal with colons; "" without a CA. */
export function caFingerprint(caPem: string): string {
  return caPem === "" ? "" : firstCertificate(caPem).fingerprint256;
}
