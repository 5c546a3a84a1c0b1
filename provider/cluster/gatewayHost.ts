import { hostnameOf, localReason } from "../../kubernetes/cluster/hostReach.ts";
import { ProviderError } from "../protocol/errors.ts";

/**
 * Parses the URL at which a gateway reaches the API server. Returns scheme, host, port and an optional path, without a slash at the end.
 *
 * @throws ProviderError CLUSTER_HOST_INVALID
 */
export function gatewayHost(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || url.protocol !== "https:" || url.username || url.password || url.search || url.hash) {
    throw new ProviderError(
      "CLUSTER_HOST_INVALID",
      `"host" is ${JSON.stringify(url === undefined ? given : `${url.protocol}//${url.host}${url.pathname}`)}.`,
      'Expected an https URL without credentials, query and fragment, like "https://k8s.example.com:6443".',
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/**
 * Refuses an address that a gateway on another machine cannot use: a loopback or link-local address, or a name inside the cluster.
 *
 * @throws ProviderError CLUSTER_HOST_LOOPBACK
 */
export function refuseLocalHost(host: string): void {
  const why = localReason(hostnameOf(host));
  if (why === undefined) return;
  throw new ProviderError(
    "CLUSTER_HOST_LOOPBACK",
    `The gateway would reach the API server at ${host}, which is ${why}.`,
    'Set "host" to an address that the gateway can reach, or set "allowLoopback" to true if the gateway runs on this machine.',
  );
}
