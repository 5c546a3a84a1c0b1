/** Looks at the cluster that a resource can do without: in `diff`, `read` and previews. */
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import type { Log } from "../protocol/operation.ts";

/** What a cluster that cannot be reached means to a resource that exists. */
export type Offline = "fail" | "warn";

/** How long such a look may take, in milliseconds. */
export const quickTimeoutMs = 2_000;

/** How long a server that did not answer is given less time, in milliseconds. */
const timeoutMemoryMs = 10_000;
const timedOutAt = new Map<string, number>();

/** Like `glanceMs`, but short for a server that another resource has just found silent: they are asked in turn. */
export function quickTimeoutFor(server: string, now = Date.now()): number {
  return now - (timedOutAt.get(server) ?? Number.NEGATIVE_INFINITY) < timeoutMemoryMs
    ? quickTimeoutMs / 10
    : quickTimeoutMs;
}

/** Remembers, for the next glances, that a server did not answer. */
export function rememberTimeout(server: string, error: unknown, now = Date.now()): void {
  if (isKubeError(error, "KUBE_TIMEOUT")) timedOutAt.set(server, now);
}

/**
 * Fails the look at a resource that exists: whether it has drifted is not known, and "unchanged" would be wrong. If the provider's
 * `offline` is "warn", logs a warning instead.
 *
 * @param what what is not known now, as a sentence
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

/** Whether the server's certificate was refused. */
export function isTlsError(error: unknown): error is KubeError {
  return isKubeError(error, "KUBE_TLS_UNTRUSTED", "KUBE_TLS_NAME", "KUBE_TLS_EXPIRED", "KUBE_TLS_PROTOCOL");
}
