import { BlockList, isIP, SocketAddress } from "node:net";
import { domainToASCII } from "node:url";
import { KubeError } from "../errors.ts";

/**
 * The proxy of the environment for an https server; undefined for a direct connection. The rules are those of Go's `net/http`, which kubectl
 * and most gateways follow:
 *
 * - HTTPS_PROXY has precedence over https_proxy. A value without a scheme is an HTTP proxy.
 * - localhost and loopback addresses have no proxy.
 * - NO_PROXY lists servers without a proxy: domains with their subdomains, addresses, CIDR blocks, or "*" for all. A domain or an address may
 *   have a port.
 *
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
 * @throws KubeError KUBE_PROXY_INVALID for a value that is not the URL of a proxy; Go ignores such a proxy
 */
export function environmentProxy(host: string, port: number, env: NodeJS.ProcessEnv): URL | undefined {
  const name = env.HTTPS_PROXY ? "HTTPS_PROXY" : "https_proxy";
  const given = env[name];
  if (!given || !usesProxy(host, port, env.NO_PROXY || env.no_proxy || "")) return undefined;
  return proxyUrl(/^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `http://${given}`, name);
}

/**
 * The URL of a proxy.
 *
 * @param owner for messages: where the value comes from. The value itself may hold a password.
 * @throws KubeError KUBE_PROXY_INVALID
 */
export function proxyUrl(given: string, owner: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.hostname && ["http:", "https:", "socks5:", "socks5h:"].includes(url.protocol)) return url;
  throw new KubeError("KUBE_PROXY_INVALID", `${owner} is not the URL of a proxy.`, {
    remedy: 'Expected "http://host:port", "https://host:port" or "socks5://host:port".',
  });
}

/** Host and port of a proxy, without credentials. */
export function proxyAddress({ protocol, hostname, port }: URL): { readonly host: string; readonly port: number } {
  const standard = protocol === "http:" ? 80 : protocol === "https:" ? 443 : 1080;
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || standard };
}

function usesProxy(host: string, port: number, noProxy: string): boolean {
  const address = plainAddress(host);
  if (host === "localhost" || address === "::1" || (isIP(address) === 4 && address.startsWith("127."))) return false;
  const entries = noProxy.split(",").map((entry) => entry.trim().toLowerCase());
  return !entries.some((entry) => matches(entry, address.toLowerCase(), port));
}

function matches(entry: string, host: string, port: number): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const [, network = "", bits = ""] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  if (isIP(network) > 0 && Number(bits) <= (isIP(network) === 4 ? 32 : 128)) {
    return isIP(host) === isIP(network) && inBlock(network, Number(bits), host);
  }
  // A port follows a name, an IPv4 address, or an IPv6 address in brackets.
  const [, bracketed, plain = entry, asked] = /^(?:\[([^\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(entry) ?? [];
  const wanted = bracketed ?? plain;
  if (wanted === "" || (asked !== undefined && asked !== "" && asked !== String(port))) return false;
  if (isIP(wanted) > 0 || isIP(host) > 0) return plainAddress(wanted) === host;
  return inDomain(wanted, host);
}

/** "example.com" stands for itself and its subdomains, ".example.com" and "*.example.com" for the subdomains alone. */
function inDomain(wanted: string, host: string): boolean {
  const subdomainsOnly = /^\*?\./.test(wanted);
  const bare = wanted.replace(/^\*?\./, "");
  const domain = domainToASCII(bare) || bare;
  return host.endsWith(`.${domain}`) || (!subdomainsOnly && host === domain);
}

function inBlock(network: string, bits: number, address: string): boolean {
  const block = new BlockList();
  const family = isIP(network) === 4 ? "ipv4" : "ipv6";
  block.addSubnet(network, bits, family);
  return block.check(address, family);
}

/** The canonical form of an IPv6 address. An IPv4-mapped one becomes an IPv4 address. Other texts are returned unchanged. */
function plainAddress(host: string): string {
  if (isIP(host) !== 6) return host;
  return new SocketAddress({ address: host, family: "ipv6" }).address.replace(/^::ffff:(?=\d+\.)/, "");
}
