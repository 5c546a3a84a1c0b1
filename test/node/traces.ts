import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";

/** Settings of the whole machine that a kubelet, a proxy or a network plugin would change. */
const sysctls = [
  "kernel/panic",
  "kernel/panic_on_oops",
  "net/ipv4/conf/all/route_localnet",
  "net/ipv4/ip_forward",
  "net/netfilter/nf_conntrack_max",
  "vm/overcommit_memory",
  "vm/panic_on_oom",
];

/** Where container tools leave things. */
const folders = [
  "/etc/cni",
  "/opt/containerd",
  "/run/containerd",
  "/run/netns",
  "/usr/libexec/kubernetes",
  "/var/lib/cni",
  "/var/lib/containerd",
  "/var/lib/kubelet",
  "/var/log/containers",
  "/var/log/pods",
];

/** State of this machine, in this process's view, that a node could have changed. */
export function machineTraces() {
  return {
    interfaces: Object.keys(networkInterfaces()).concat(readdirSync("/sys/class/net")).sort(),
    routes: readFileSync("/proc/net/route", "utf8"),
    nftables: execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" }),
    // `/run/sandbox` is where a sandbox's folder is mounted.
    mounts: readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => /kubelet|containerd|cni|netns|overlay|\/run\/sandbox/.test(line)),
    folders: folders.map((path) => `${path}: ${existsSync(path) ? readdirSync(path).sort().join(" ") : "absent"}`),
    sysctls: sysctls.map((name) => `${name}: ${readOr(`/proc/sys/${name}`)}`),
  };
}

/** Folders of a cgroup, in all hierarchies. */
export function cgroupFolders(name: string): string[] {
  return readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , type]) => type === "cgroup" || type === "cgroup2")
    .map(([, mount]) => `${mount}/${name}`)
    .filter((path) => existsSync(path));
}

/** Processes that share mounts or network with the given one, itself among them: `pid command`. */
export function namespaceOf(pid: number): () => string[] {
  const own = namespaces(String(pid));
  return () =>
    readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .filter((entry) => namespaces(entry).some((name) => own.includes(name)))
      .map((entry) => `${entry} ${readOr(`/proc/${entry}/comm`)}`);
}

function namespaces(pid: string): string[] {
  return ["mnt", "net", "pid_for_children"].flatMap((kind) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/${kind}`)];
    } catch {
      return [];
    }
  });
}

function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "absent";
  }
}
