import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SandboxError } from "../build/errors.ts";
import { stateRoot, storageError } from "../build/paths.ts";
import { type Identity, isAlive, signalProcess, waitForEnd } from "../build/process.ts";
import { type MachineState, machineFile, outsideIdentity, removeCgroups } from "../node/machine.ts";
import { type ComponentName, componentNames, files } from "./plan.ts";

/** What the driver keeps of a sandbox in `sandbox.json`. */
export interface SandboxRecord {
  readonly version: 1;
  readonly name: string;
  /** Version of Kubernetes, with its `v`; absent in records from before there was a choice. */
  readonly kubernetes?: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly server: string;
  readonly controllerManagerPort: number;
  readonly binary: string;
  /** The node, where there is one. */
  readonly node?: { readonly name: string; readonly cgroup: string };
  /** The supervisor (with a node: the machine that it runs on) as it was spawned; absent for the moment before that. */
  readonly supervisor?: Identity;
  /** True once everything answered and the sandbox was left to live on. */
  readonly ready: boolean;
}

/** What the supervisor keeps of its children in `supervisor.json`. */
interface SupervisorState extends Identity {
  readonly children: Readonly<Record<string, Identity>>;
}

export type Condition = "absent" | "starting" | "running" | "damaged";

export interface SandboxStatus {
  readonly name: string;
  /** `starting` while it comes up, `damaged` when a part of it has ended: the next start replaces it. */
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
  /** Process ids, of those that run. */
  readonly pids: Pids;
}

/** Beside the servers: what supervises them, and with a node what makes and watches the machine that they run on. */
export type Pids = Readonly<Partial<Record<ComponentName | "supervisor" | keyof MachineState, number>>>;

/** Folder of a sandbox that lives on in the background. */
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

/** Identities of the processes of a sandbox, as far as they are known; they may have ended. */
export interface KnownProcesses {
  readonly supervisor?: Identity;
  readonly children: ReadonlyMap<ComponentName, Identity>;
  /** With a node: the processes that make and watch its machine. */
  readonly machine?: Partial<MachineState>;
}

export function knownProcesses(dir: string): KnownProcesses {
  const record = readRecord(dir);
  const state = readJson(join(dir, files.supervisor)) as SupervisorState | undefined;
  const machine = record?.node && (readJson(join(dir, machineFile)) as MachineState | undefined);
  // A supervisor in another PID namespace has different pids.
  const seen = (id: Identity) => (record?.node ? machine && outsideIdentity(id, machine.init) : id);
  const children = new Map<ComponentName, Identity>();
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

/** How long the processes of a sandbox get to end: first by themselves, then killed. */
const endMs = { asked: 3000, killed: 5000 };

/**
 * Ends every process of a sandbox and removes its folder, whatever state it is in.
 *
 * @throws SandboxError SANDBOX_TIMEOUT when a process survives SIGKILL, SANDBOX_STORAGE
 */
export async function removeSandbox(dir: string): Promise<void> {
  const record = readRecord(dir);
  const { supervisor, children, machine } = knownProcesses(dir);
  // The end of a machine is the end of everything on it.
  const first = machine ? machine.run : supervisor;
  const machineIds = [machine?.run, machine?.init, machine?.guard].filter((id) => id !== undefined);
  const all = [...(supervisor ? [supervisor] : []), ...children.values(), ...machineIds];
  const asked = first !== undefined && isAlive(first);
  if (asked) signalProcess(first, "SIGTERM");
  if (!asked || !(await waitForEnd(all, endMs.asked))) {
    for (const id of all) signalProcess(id, "SIGKILL");
    if (!(await waitForEnd(all, endMs.killed))) {
      const left = all.filter(isAlive).map(({ pid }) => pid);
      throw new SandboxError(
        "SANDBOX_TIMEOUT",
        `Processes ${left.join(", ")} of the sandbox in ${dir} did not end within ${endMs.killed / 1000} s of SIGKILL. Its folder was kept; try to stop it again.`,
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

/** Waits for the pods' processes, which the kernel ends and whose pids are not known here. */
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
    return undefined; // absent, or truncated by a full disk
  }
}
