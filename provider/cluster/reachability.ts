/** Calls to the cluster in `diff`, `read` and previews: short timeouts, and what happens if the cluster cannot be reached. */
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import type { Log } from "../protocol/operation.ts";

/** Behaviour if a resource exists and its cluster cannot be reached. */
export type Offline = "fail" | "warn";

/** Timeout of such a call, in milliseconds. */
export const quickTimeoutMs = 2_000;

/** For how long a server that timed out gets a shorter timeout, in milliseconds. */
const timeoutMemoryMs = 10_000;
const timedOutAt = new Map<string, number>();

/** `quickTimeoutMs`, or a tenth of it if another resource's call to the server just timed out. Resources are checked one after the other. */
export function quickTimeoutFor(server: string, now = Date.now()): number {
  return now - (timedOutAt.get(server) ?? Number.NEGATIVE_INFINITY) < timeoutMemoryMs
    ? quickTimeoutMs / 10
    : quickTimeoutMs;
}

/** Records that a server did not answer, for `quickTimeoutFor`. */
export function rememberTimeout(server: string, error: unknown, now = Date.now()): void {
  if (isKubeError(error, "KUBE_TIMEOUT")) timedOutAt.set(server, now);
}

/**
 * Throws the error of a check of a resource that exists: without the check, drift could not be determined. If the provider's `offline` is
 * "warn", logs a warning instead.
 *
 * @param what sentence that says what was not checked
 */
export function failUnlessOffline(
  what: string,
  error: unknown,
  context: { readonly log: Log; readonly deployer: { readonly offline: Offline } },
): void {
  if (!(error instanceof KubeError) || error.code === "KUBE_CANCELLED") throw error;
  const { code, message, status, reason, serverMessage } = error;
  if (context.deployer.offline === "warn") {
    context.log.warn(`${what} ${message}`);
    return;
  }
  const remedy = 'To continue without looking at the cluster, set "offline" to "warn" (k8sauth:offline).';
  throw new KubeError(code, `${what} ${message}`, { remedy, status, reason, serverMessage });
}

/** Whether the client rejected the server's certificate. */
export function isTlsError(error: unknown): error is KubeError {
  return isKubeError(error, "KUBE_TLS_UNTRUSTED", "KUBE_TLS_NAME", "KUBE_TLS_EXPIRED", "KUBE_TLS_PROTOCOL");
}
