import { KubeClient } from "../client.ts";
import { isKubeError } from "../errors.ts";

/**
 * Proves with a real TLS handshake that `host` shows a certificate that `caPem` signed and that carries the host's name, and that an API
 * server answers there. No credential is sent.
 *
 * @throws KubeError KUBE_TLS_UNTRUSTED, KUBE_TLS_NAME, KUBE_TLS_EXPIRED, KUBE_REFUSED, KUBE_UNREACHABLE_DNS, KUBE_TIMEOUT…
 */
export async function proveHost(host: string, caPem: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  using client = KubeClient.direct({ server: host, caPem, label: "an anonymous caller" }, { timeoutMs, signal });
  try {
    await client.get("/version", { retry: false });
  } catch (error) {
    // An API server may refuse anonymous requests for its version. Any answer proves the handshake.
    if (isKubeError(error, "KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_FORBIDDEN")) return;
    if (!isKubeError(error, "KUBE_DENIED") || !error.reason) throw error;
  }
}
