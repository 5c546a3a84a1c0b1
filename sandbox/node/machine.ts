import { readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { identify, isAlive, type ProcessIdentity } from "../build/process.ts";

/**
 * Paths and addresses in the machine of a sandbox with a node. The machine consists of Linux namespaces with separate processes, mounts and
 * network. Control plane and node run in it. The sandbox's folder has a short path there.
 */
export const inside = {
  home: "/run/sandbox",
  bin: "/run/bin",
  /** Address of the machine, which is the gateway of its pods. */
  address: "10.244.0.1",
  podRange: "10.244.0.0/24",
} as const;

/** Content of the file that `machine run` writes: processes outside of the machine, and its first process. */
export interface MachineState {
  readonly run: ProcessIdentity;
  readonly guard: ProcessIdentity;
  readonly init: ProcessIdentity;
}

export const machineFile = "machine.json";

export interface MachineOptions {
  readonly cgroup: string;
  readonly nodeName: string;
  /** Ports of 127.0.0.1 that are forwarded to the same ports of the machine. */
  readonly ports: readonly number[];
  /** Paths of the programs in the machine, by name. */
  readonly binaries: Readonly<Record<string, string>>;
  /** Name of a program and its arguments. */
  readonly command: readonly string[];
}

/** Arguments of the machine program that run a command in the machine. */
export function machineArgs({ cgroup, nodeName, ports, binaries, command }: MachineOptions): string[] {
  return [
    "run",
    `--cgroup=${cgroup}`,
    `--hostname=${nodeName}`,
    `--address=${inside.address}`,
    ...ports.map((port) => `--port=${port}`),
    ...Object.entries(binaries).map(([name, path]) => `--binary=${name}=${path}`),
    "--",
    ...command,
  ];
}

const found = new Map<string, ProcessIdentity>();

/** The process with the pid `id` in the machine, as seen from outside; undefined if it has ended. */
export function outsideIdentity(id: ProcessIdentity, init: ProcessIdentity): ProcessIdentity | undefined {
  const key = `${init.pid} ${init.started} ${id.pid} ${id.started}`;
  const known = found.get(key);
  if (known) return known;
  if (!isAlive(init)) return undefined;
  const namespace = pidNamespace(String(init.pid));
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry) || innerPid(entry) !== id.pid || pidNamespace(entry) !== namespace) continue;
    const outer = identify(Number(entry));
    if (outer.started !== id.started) continue;
    found.set(key, outer);
    return outer;
  }
  return undefined;
}

/** Pid of a process in its innermost namespace (`NSpid` in proc_pid_status(5)). */
function innerPid(pid: string): number | undefined {
  try {
    const pids = /^NSpid:\s*(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]?.split(/\s+/);
    return pids && pids.length > 1 ? Number(pids.at(-1)) : undefined;
  } catch {
    return undefined;
  }
}

function pidNamespace(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Removes a machine's cgroup from each hierarchy, after all its processes have ended. */
export function removeCgroups(cgroup: string): void {
  if (process.platform !== "linux") return;
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, mount = "", type] = line.split(" ");
    if (type === "cgroup" || type === "cgroup2") removeFolders(join(mount, cgroup));
  }
}

function removeFolders(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeFolders(join(folder, entry.name));
    }
    rmdirSync(folder);
  } catch (error) {
    // The machine's guard has removed it.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
