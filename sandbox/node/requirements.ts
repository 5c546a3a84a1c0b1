import { accessSync, constants, readFileSync } from "node:fs";
import { join } from "node:path";

/** Whether this machine can run a node, and the missing requirements as short phrases for users. */
export type NodeSupport = { readonly ok: true } | { readonly ok: false; readonly missing: readonly string[] };

/** Paths of the container tools on this machine. */
export interface NodeTools {
  readonly containerd: string;
  readonly ctr: string;
  /** Folder of the CNI plugins. */
  readonly cni: string;
}

/** Folders of system programs. The PATH is not used. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const cniFolders = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];
const cniPlugins = ["ptp", "host-local", "loopback"];

/** Debian packages of the programs that a node runs. */
const programs = {
  containerd: "containerd",
  ctr: "containerd",
  "containerd-shim-runc-v2": "containerd",
  runc: "runc",
  nft: "nftables",
  conntrack: "conntrack",
} as const;

/** The remedy for requirements that {@link canRunNode} misses, for messages. */
export function nodeRemedy(missing: readonly string[]): string {
  if (missing.includes("Linux")) return "A node runs on Linux only.";
  const packages = missing.flatMap((what) =>
    what.startsWith(packagePrefix) ? [what.slice(packagePrefix.length)] : [],
  );
  const sentences = [
    ...(packages.length > 0 ? [`On Debian, as root: apt-get install ${packages.join(" ")}.`] : []),
    ...(missing.includes("root") ? ["Only root can run a node: sudo npm start."] : []),
    ...(missing.some((what) => what.startsWith("CAP_") || what.startsWith("cgroups"))
      ? ["A container needs --privileged."]
      : []),
  ];
  return sentences.join(" ");
}

/** Prefix of a missing package in {@link NodeSupport}. */
const packagePrefix = "Debian package ";

/** Capabilities (capabilities(7)) that namespaces, mounts and networks require. */
const capabilities = { CAP_NET_ADMIN: 12, CAP_SYS_ADMIN: 21 } as const;

/**
 * Whether a sandbox can have a node on this machine. It requires Linux, root with its capabilities, writable cgroups, and the Debian packages
 * containerd, runc, containernetworking-plugins, nftables and conntrack.
 */
export function canRunNode(): NodeSupport {
  if (process.platform !== "linux") return { ok: false, missing: ["Linux"] };
  const missing = new Set<string>();
  if (process.getuid?.() !== 0) missing.add("root");
  else for (const name of missingCapabilities(readFileSync("/proc/self/status", "utf8"))) missing.add(name);
  if (!cgroupsAreWritable(readFileSync("/proc/self/mounts", "utf8"))) missing.add("cgroups that can be written");
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (!findProgram(program)) missing.add(packagePrefix + debianPackage);
  }
  if (!findCni()) missing.add(`${packagePrefix}containernetworking-plugins`);
  return missing.size === 0 ? { ok: true } : { ok: false, missing: [...missing] };
}

/** The tools of a machine on which {@link canRunNode} is true. */
export function nodeTools(): NodeTools {
  return { containerd: findProgram("containerd") ?? "", ctr: findProgram("ctr") ?? "", cni: findCni() ?? "" };
}

/** Required capabilities that a process lacks, by its /proc status. */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return Object.entries(capabilities)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

/** Whether a table of mounts has cgroups, all of them writable. */
export function cgroupsAreWritable(mounts: string): boolean {
  const cgroups = mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "cgroup" || type === "cgroup2");
  return cgroups.length > 0 && cgroups.every(([, , , options]) => options?.split(",").includes("rw"));
}

function findProgram(name: string): string | undefined {
  return systemPath
    .split(":")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function findCni(): string | undefined {
  return cniFolders.find((folder) => cniPlugins.every((plugin) => isExecutable(join(folder, plugin))));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
