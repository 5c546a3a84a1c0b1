import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ExportedStack, ResourceState } from "../../../cli/stack.ts";
import { leftOf, type PulumiProcess, type RunProcess } from "./pulumiProcess.ts";
import type { TestStack } from "./stack.ts";

export interface Crash {
  /** The processes that are killed. @default all */
  readonly role?: RunProcess["role"];
  /** Number of writes of the state before the kill. */
  readonly write: number;
}

/** Calls `reached` when a file was written `count` times. */
async function afterWrites(file: string, count: number, reached: () => void): Promise<FSWatcher> {
  await mkdir(dirname(file), { recursive: true });
  let writes = 0;
  return watch(dirname(file), (_event, name) => {
    if (name !== basename(file)) return;
    writes += 1;
    if (writes === count) reached();
  });
}

/** Starts an operation as a process, the way that users run it. */
export async function start(stack: TestStack, operation: "up" | "destroy"): Promise<PulumiProcess> {
  await stack.initialize();
  return stack.spawn([operation, "--yes", "--skip-preview"]);
}

/**
 * Kills an operation with SIGKILL after the given number of writes of the state. Returns when none of its processes runs. `reached` is false if
 * the operation ended before.
 */
export async function crash(stack: TestStack, operation: "up" | "destroy", { role, write }: Crash) {
  const run = await start(stack, operation);
  let reached = false;
  const watcher = await afterWrites(stack.stateFile, write, () => {
    reached = true;
    run.kill(role);
  });
  const status = await run.end();
  watcher.close();
  await gone(stack);
  return { reached, status, output: run.output };
}

/** Waits until language host, program and plugins end after their engine. Returns how long it took, in milliseconds. */
export async function gone(stack: Pick<TestStack, "env">, limitMs = 10_000): Promise<number> {
  const since = performance.now();
  for (;;) {
    const left = leftOf(stack);
    const took = performance.now() - since;
    if (left.length === 0) return took;
    if (took > limitMs) throw new Error(`still running after ${Math.round(took)} ms: ${left.join("; ")}`);
    await sleep(20);
  }
}

/** The steps of docs/state.md after a killed run. */
export async function recover(stack: TestStack): Promise<void> {
  await stack.command("cancel", "--yes");
  await stack.up();
  await stack.refresh("--clear-pending-creates");
}

/** The files in the stack's lock folder. */
export async function locks(stack: TestStack): Promise<string[]> {
  return readdir(join(stack.folder, "state", ".pulumi", "locks", "organization", "k8sauth", stack.name)).catch(
    () => [],
  );
}

/** The state in the stack's file. */
export async function deploymentOf(stack: TestStack): Promise<ExportedStack["deployment"]> {
  const text = await readFile(stack.stateFile, "utf8").catch(() => undefined);
  if (text === undefined) return {}; // The run was killed before it wrote any.
  return (JSON.parse(text) as { checkpoint: { latest?: ExportedStack["deployment"] } }).checkpoint.latest ?? {};
}

/** The Kubernetes objects in the stack's state, as `Kind NAMESPACE/NAME`. */
export async function objectsInState(stack: TestStack): Promise<string[]> {
  const { resources } = await deploymentOf(stack);
  return (resources ?? []).filter(isObject).map(({ inputs, id }) => `${inputs?.kind} ${id}`);
}

/** Kinds of the Kubernetes objects whose creation is a pending operation of the state. */
export async function creationsInFlight(stack: TestStack): Promise<string[]> {
  const { pending_operations: pending } = await deploymentOf(stack);
  return (pending ?? [])
    .filter(({ type, resource }) => type === "creating" && isObject(resource))
    .map(({ resource }) => String(resource.inputs?.kind));
}

function isObject({ type }: ResourceState): boolean {
  return type.startsWith("kubernetes:");
}
