import { isIP } from "node:net";
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
  const why = localReason(new URL(host).hostname.replace(/^\[|\]$/g, "").toLowerCase());
  if (why === undefined) return;
  throw new ProviderError(
    "CLUSTER_HOST_LOOPBACK",
    `The gateway would reach the API server at ${host}, and that is ${why}.`,
    'Set "host" to an address that the gateway can reach, or "allowLoopback" when the gateway runs on this machine.',
  );
}

/** Why a host cannot be reached from outside; undefined for a host that may work. */
export function localReason(hostname: string): string | undefined {
  const name = hostname.replace(/\.$/, "");
  if (name === "localhost" || name.endsWith(".localhost")) return "a loopback name";
  if (
    name.endsWith(".svc") ||
    name.endsWith(".cluster.local") ||
    name === "kubernetes" ||
    name === "kubernetes.default"
  ) {
    return "a name that only pods of the cluster can resolve";
  }
  const mapped = /^::ffff:(?:([0-9a-f]{1,4}):([0-9a-f]{1,4})|([\d.]+))$/.exec(name);
  if (mapped) {
    const [, high = "0", low = "0", dotted] = mapped;
    const bits = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
    return localReason(dotted ?? [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join("."));
  }
  switch (isIP(name)) {
    case 4:
      if (name.startsWith("127.")) return "a loopback address";
      if (name.startsWith("0.")) return "no address";
      if (name.startsWith("169.254.")) return "a link-local address";
      return undefined;
    case 6:
      if (name === "::1") return "a loopback address";
      if (name === "::") return "no address";
      if (/^fe[89ab]/.test(name)) return "a link-local address";
      return undefined;
    default:
      return undefined;
  }
}
