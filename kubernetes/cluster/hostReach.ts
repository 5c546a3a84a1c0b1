/** The networks from which a host can be reached, by its name or address alone. */
import { BlockList, isIP } from "node:net";

/** The name or address in a URL, in lower case, an IPv6 address without its brackets. */
export function hostnameOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "").toLowerCase();
}

/** Why no other machine outside of the cluster can reach a host, as a noun ("a loopback name"). Undefined for a host that may work. */
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

/** Why only some networks can resolve or reach a host, as a noun ("a private address"). Undefined for a public name or address. */
export function limitedReason(hostname: string): string | undefined {
  const name = hostname.replace(/\.$/, "");
  const family = isIP(name);
  if (family > 0) return within(privateNetworks, name) ? "a private address" : undefined;
  if (!name.includes(".")) return "a name without a domain";
  if (name.endsWith(".local")) return "a name of multicast DNS, which works in one local network";
  const domain = [".internal", ".home.arpa", ".lan", ".intranet", ".corp"].find((suffix) => name.endsWith(suffix));
  return domain && `a name in ${domain}, which only private resolvers know`;
}

/** Reads networks in CIDR notation. Malformed ones are skipped. */
export function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits = ""] = cidr.split("/");
    const family = isIP(network);
    if (family > 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)) {
      list.addSubnet(network, Number(bits), family === 4 ? "ipv4" : "ipv6");
    }
  }
  return list;
}

/** Whether an address is in one of the networks. */
export function within(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** @see https://www.rfc-editor.org/rfc/rfc1918, https://www.rfc-editor.org/rfc/rfc6598, https://www.rfc-editor.org/rfc/rfc4193 */
const privateNetworks = networks(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]);
