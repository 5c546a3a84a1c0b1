import { type FSWatcher, watch } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EngineProcess, leftOf, type RunProcess } from "./engineProcess.ts";
import type { TestStack } from "./stack.ts";

export interface Crash {
  /** Which process is killed; without it all three are, in one go. */
  readonly role?: RunProcess["role"];
  /** After how many writes of the state. */
  readonly write: number;
}

/** Calls `reached` in the moment in which a file has been put in its place for the given time. */
async function afterWrites(file: string, count: number, reached: () => void): Promise<FSWatcher> {
  await mkdir(dirname(file), { recursive: true });
  let writes = 0;
  return watch(dirname(file), (_event, name) => {
    if (name !== basename(file)) return;
    writes += 1;
    if (writes === count) reached();
  });
}

/**
 * Runs an operation in a process of its own and kills it with SIGKILL after so many writes of the state. Answers once
 * nothing of it runs any more; `reached` is false where it ended before.
 */
export async function crash(stack: TestStack, operation: string, { role, write }: Crash) {
  const run = EngineProcess.run(stack, operation, operation === "destroy" ? ["--yes"] : []);
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

/** Waits until program and plugin have noticed that their engine is gone. */
export async function gone(stack: Pick<TestStack, "env">): Promise<void> {
  for (let tries = 0; leftOf(stack).length > 0; tries++) {
    if (tries > 200) throw new Error(`still running: ${leftOf(stack).join("; ")}`);
    await sleep(50);
  }
}

/** The files in the stack's lock folder. */
export async function locks(stack: TestStack): Promise<string[]> {
  return readdir(join(stack.folder, "state", ".pulumi", "locks", "organization", "k8sauth", stack.name)).catch(
    () => [],
  );
}
