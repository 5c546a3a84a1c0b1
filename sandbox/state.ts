import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SandboxError } from "./errors.ts";
import { stateRoot, storageError } from "./paths.ts";
import { type ComponentName, componentNames, files } from "./plan.ts";
import { type Identity, isAlive, signalProcess, waitForEnd } from "./process.ts";

/** What the driver keeps of a sandbox in `sandbox.json`. */
export interface SandboxRecord {
  readonly version: 1;
  readonly name: string;
  readonly issuer: string;
  readonly apiAudiences: readonly string[];
  readonly server: string;
  readonly controllerManagerPort: number;
  readonly binary: string;
  /** The supervisor as it was spawned; absent for the moment before that. */
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
  readonly server?: string;
  readonly issuer?: string;
  readonly apiAudiences?: readonly string[];
  readonly kubeconfig?: string;
  /** Process ids, of those that run. */
  readonly pids: Pids;
}

export type Pids = Readonly<Partial<Record<ComponentName | "supervisor", number>>>;

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
export function knownProcesses(dir: string): {
  supervisor?: Identity;
  children: ReadonlyMap<ComponentName, Identity>;
} {
  const state = readJson(join(dir, files.supervisor)) as SupervisorState | undefined;
  const children = new Map<ComponentName, Identity>();
  for (const name of componentNames) {
    const id = state?.children?.[name];
    if (id) children.set(name, id);
  }
  const supervisor = state ? { pid: state.pid, started: state.started } : readRecord(dir)?.supervisor;
  return { supervisor, children };
}

export function inspect(name: string, dir: string): SandboxStatus {
  if (!existsSync(dir)) return { name, condition: "absent", dir, pids: {} };
  const record = readRecord(dir);
  const { supervisor, children } = knownProcesses(dir);
  const pids: Partial<Record<ComponentName | "supervisor", number>> = {};
  if (supervisor && isAlive(supervisor)) pids.supervisor = supervisor.pid;
  for (const [component, id] of children) if (isAlive(id)) pids[component] = id.pid;
  const complete = pids.supervisor !== undefined && componentNames.every((component) => pids[component] !== undefined);
  if (!record) return { name, condition: "damaged", dir, pids };
  const starting = pids.supervisor !== undefined && !record.ready;
  return {
    name,
    condition: starting ? "starting" : complete ? "running" : "damaged",
    dir,
    server: record.server,
    issuer: record.issuer,
    apiAudiences: record.apiAudiences,
    kubeconfig: join(dir, files.kubeconfig),
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
  const { supervisor, children } = knownProcesses(dir);
  const all = [...(supervisor ? [supervisor] : []), ...children.values()];
  if (supervisor) signalProcess(supervisor, "SIGTERM");
  else for (const id of all) signalProcess(id, "SIGKILL");
  if (!(await waitForEnd(all, supervisor && isAlive(supervisor) ? endMs.asked : 0))) {
    for (const id of all) signalProcess(id, "SIGKILL");
    if (!(await waitForEnd(all, endMs.killed))) {
      const left = all.filter(isAlive).map(({ pid }) => pid);
      throw new SandboxError(
        "SANDBOX_TIMEOUT",
        `Processes ${left.join(", ")} of the sandbox in ${dir} did not end within ${endMs.killed / 1000} s of SIGKILL. Its folder was kept; try to stop it again.`,
      );
    }
  }
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    throw storageError("Removing a sandbox's folder", dir, error);
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // absent, or cut short by a full disk: the same to whoever asks
  }
}
