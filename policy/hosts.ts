import { isIP } from "node:net";

/** The reason why a gateway outside of the cluster cannot use a URL; undefined if none is known. */
export function unreachableReason(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:") return "no https URL";
  const name = parsed.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return isIP(name) === 0 ? nameReason(name) : addressReason(name);
}

function nameReason(name: string): string | undefined {
  if (name === "localhost" || name.endsWith(".localhost")) return "a loopback name";
  const inCluster = ["kubernetes", "kubernetes.default"].includes(name) || /\.(svc|cluster\.local)$/.test(name);
  return inCluster ? "a name that only pods of the cluster can resolve" : undefined;
}

function addressReason(address: string): string | undefined {
  // URL writes an IPv4-mapped IPv6 address with two groups of hexadecimal digits.
  const mapped = /^::ffff:([0-9a-f]{1,4}):/.exec(address);
  const first = mapped ? Number.parseInt(mapped[1] as string, 16) >> 8 : Number.parseInt(address, 10);
  if (address === "::1" || ((mapped || isIP(address) === 4) && first === 127)) return "a loopback address";
  if (address === "::" || ((mapped || isIP(address) === 4) && first === 0)) return "no address";
  const linkLocal = /^fe[89ab]/.test(address) || /^169\.254\./.test(address) || mapped?.[1] === "a9fe";
  return linkLocal ? "a link-local address" : undefined;
}
