import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "../build/errors.ts";
import { stateRoot, storageError } from "../build/paths.ts";
import { isAlive, type ProcessIdentity, signalProcess, waitForEnd } from "../build/process.ts";
import { type MachineState, machineFile, outsideIdentity, removeCgroups } from "../node/machine.ts";
import { type ComponentName, componentNames, files } from "./plan.ts";

/** Content of `sandbox.json`, which the starting process writes. */
export interface SandboxRecord {
  readonly version: 1;
  readonly name: string;
  /** Version of Kubernetes, with its `v`; absent in records of earlier releases. */
  readonly kubernetes?: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly server: string;
  readonly controllerManagerPort: number;
  readonly binary: string;
  /** The node. Absent without one. */
  readonly node?: { readonly name: string; readonly cgroup: string };
  /** The spawned supervisor, or with a node the machine on which it runs. Absent before it is spawned. */
  readonly supervisor?: ProcessIdentity;
  /** Whether the start was completed: all servers were ready. */
  readonly ready: boolean;
}

/** Content of `supervisor.json`, which the supervisor writes. */
interface SupervisorState extends ProcessIdentity {
  readonly children: Readonly<Record<string, ProcessIdentity>>;
}

export type Condition = "absent" | "starting" | "running" | "damaged";

export interface SandboxStatus {
  readonly name: string;
  /** `starting` before it is ready. `damaged` if one of its processes has ended: the next start replaces the sandbox. */
  readonly condition: Condition;
  readonly dir: string;
  /** Version of Kubernetes, with its `v`. */
  readonly kubernetes?: string;
  readonly server?: string;
  readonly issuer?: string;
  readonly apiAudiences?: readonly string[];
  readonly kubeconfig?: string;
  /** Name of its node, if it has one. */
  readonly node?: string;
  /** Process ids of running processes. */
  readonly pids: Pids;
}

/** Process ids of the servers, the supervisor, and with a node the processes that create and watch its machine. */
export type Pids = Readonly<Partial<Record<ComponentName | "supervisor" | keyof MachineState, number>>>;

/** Folder of a sandbox that runs in the background. */
export function sandboxDir(name: string, env: NodeJS.ProcessEnv): string {
  return join(stateRoot(env), name);
}

export function readRecord(dir: string): SandboxRecord | undefined {
  const record = readJson(join(dir, files.record)) as SandboxRecord | undefined;
  return record?.version === 1 ? record : undefined;
}

export function writeRecord(dir: string, record: SandboxRecord): void {
  const path = join(dir, files.record);
  writeFileSync(`${path}.new`, JSON.stringify(record, null, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Known processes of a sandbox, which may have ended. */
export interface KnownProcesses {
  readonly supervisor?: ProcessIdentity;
  readonly children: ReadonlyMap<ComponentName, ProcessIdentity>;
  /** With a node: the processes that create and watch its machine. */
  readonly machine?: Partial<MachineState>;
}

export function knownProcesses(dir: string): KnownProcesses {
  const record = readRecord(dir);
  const state = readJson(join(dir, files.supervisor)) as SupervisorState | undefined;
  const machine = record?.node && (readJson(join(dir, machineFile)) as MachineState | undefined);
  // A supervisor in another PID namespace has different pids.
  const seen = (id: ProcessIdentity) => (record?.node ? machine && outsideIdentity(id, machine.init) : id);
  const children = new Map<ComponentName, ProcessIdentity>();
  for (const name of componentNames(record?.node !== undefined)) {
    const id = state?.children?.[name];
    const outside = id && seen(id);
    if (outside) children.set(name, outside);
  }
  if (record?.node) {
    const supervisor = state && seen(state);
    return { supervisor, children, machine: machine ?? { run: record.supervisor } };
  }
  return { supervisor: state ? { pid: state.pid, started: state.started } : record?.supervisor, children };
}

export function inspect(name: string, dir: string): SandboxStatus {
  if (!existsSync(dir)) return { name, condition: "absent", dir, pids: {} };
  const record = readRecord(dir);
  const { supervisor, children, machine } = knownProcesses(dir);
  const pids: { -readonly [Name in keyof Pids]: number } = {};
  const all = Object.entries({ supervisor, ...machine, ...Object.fromEntries(children) });
  for (const [who, id] of all) if (id && isAlive(id)) pids[who as keyof Pids] = id.pid;
  const components = componentNames(record?.node !== undefined);
  const complete = pids.supervisor !== undefined && components.every((component) => pids[component] !== undefined);
  if (!record) return { name, condition: "damaged", dir, pids };
  const starting = (pids.supervisor ?? pids.run) !== undefined && !record.ready;
  return {
    name,
    condition: starting ? "starting" : complete ? "running" : "damaged",
    dir,
    kubernetes: record.kubernetes,
    server: record.server,
    issuer: record.issuer,
    apiAudiences: record.apiAudiences,
    kubeconfig: join(dir, files.kubeconfig),
    ...(record.node && { node: record.node.name }),
    pids,
  };
}

/** Names of the sandboxes that have a folder, sorted. */
export function sandboxNames(env: NodeJS.ProcessEnv): string[] {
  const root = stateRoot(env);
  if (!existsSync(root)) return [];
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

/** Time for the processes of a sandbox to end, in milliseconds: after SIGTERM, then after SIGKILL. */
const endMs = { terminated: 3000, killed: 5000 };

/**
 * Ends all processes of a sandbox in any state and removes its folder.
 *
 * @throws SandboxError SANDBOX_TIMEOUT if a process survives SIGKILL, SANDBOX_STORAGE
 */
export async function removeSandbox(dir: string): Promise<void> {
  const record = readRecord(dir);
  const { supervisor, children, machine } = knownProcesses(dir);
  // All processes of a machine end with it.
  const first = machine ? machine.run : supervisor;
  const machineIds = [machine?.run, machine?.init, machine?.guard].filter((id) => id !== undefined);
  const all = [...(supervisor ? [supervisor] : []), ...children.values(), ...machineIds];
  const terminable = first !== undefined && isAlive(first);
  if (terminable) signalProcess(first, "SIGTERM");
  if (!terminable || !(await waitForEnd(all, endMs.terminated))) {
    for (const id of all) signalProcess(id, "SIGKILL");
    if (!(await waitForEnd(all, endMs.killed))) {
      const running = all.filter(isAlive).map(({ pid }) => pid);
      throw new SandboxError(
        "SANDBOX_TIMEOUT",
        `Processes ${running.join(", ")} of the sandbox in ${dir} did not end within ${endMs.killed / 1000} s of SIGKILL. Its folder was kept. Stop it again.`,
      );
    }
  }
  if (record?.node) await removeCgroupsOf(record.node.cgroup);
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw storageError("Removing a sandbox's folder", dir, error);
  }
}

/** Removes the cgroups as soon as the pods' processes have ended. The kernel ends these, and their pids are unknown here. */
async function removeCgroupsOf(cgroup: string): Promise<void> {
  const deadline = Date.now() + endMs.killed;
  for (;;) {
    try {
      return removeCgroups(cgroup);
    } catch (error) {
      if (Date.now() > deadline) throw storageError("Removing a sandbox's cgroups", cgroup, error);
      await delay(20);
    }
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // Absent, or truncated by a full disk.
  }
}
