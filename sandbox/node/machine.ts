import { readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { type Identity, identify, isAlive } from "../build/process.ts";

/**
 * The control plane and the node run on a machine of their own: in Linux namespaces with processes, mounts and a network that
 * nothing else sees. Its folder is the sandbox's, under a short name.
 */
export const inside = {
  home: "/run/sandbox",
  bin: "/run/bin",
  /** Address of the machine, and the gateway of its pods. */
  address: "10.244.0.1",
  podRange: "10.244.0.0/24",
} as const;

/** Written by `machine run`: processes outside the machine, and the first one inside. */
export interface MachineState {
  readonly run: Identity;
  readonly guard: Identity;
  readonly init: Identity;
}

export const machineFile = "machine.json";

export interface MachineOptions {
  readonly cgroup: string;
  readonly nodeName: string;
  /** Ports of 127.0.0.1 that lead to the same ones inside. */
  readonly ports: readonly number[];
  /** Paths of the programs inside, by name. */
  readonly binaries: Readonly<Record<string, string>>;
  /** Name of a program and its arguments. */
  readonly command: readonly string[];
}

/** Arguments of the machine program that run a command inside. */
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

const found = new Map<string, Identity>();

/** The process outside that is known inside as `id`; `undefined` when it has ended. */
export function outsideIdentity(id: Identity, init: Identity): Identity | undefined {
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

/** A process's pid in the innermost namespace that it is in (`NSpid` in proc_pid_status(5)). */
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

/** Removes what is left of a machine's cgroup in each hierarchy, once all of its processes have ended. */
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
    // Removed by the machine's own guard meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
