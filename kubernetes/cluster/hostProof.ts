import { KubeClient } from "../client.ts";
import { isKubeError } from "../errors.ts";

/**
 * Proves by a TLS handshake that the certificate of `host` carries its name and is signed by `caPem`. Also proves that an API server answers
 * there. Sends no credential.
 *
 * @throws KubeError KUBE_TLS_UNTRUSTED, KUBE_TLS_NAME, KUBE_TLS_EXPIRED, KUBE_REFUSED, KUBE_UNREACHABLE_DNS, KUBE_TIMEOUT…
 */
export async function proveHost(host: string, caPem: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  using client = KubeClient.direct({ server: host, caPem, label: "an anonymous caller" }, { timeoutMs, signal });
  try {
    await client.get("/version", { retry: false });
  } catch (error) {
    // An API server may refuse anonymous requests for its version. Its 403 has a reason, that of a proxy has none.
    if (isKubeError(error, "KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_FORBIDDEN")) return;
    if (!isKubeError(error, "KUBE_DENIED") || !error.reason) throw error;
  }
}
