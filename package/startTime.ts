/** Measures the start of the plugin. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Sorted times from the start of the process to the line with its port, in milliseconds. The first start, without caches, is not counted. */
export async function startTimes(executable: string, count: number): Promise<number[]> {
  await startTime(executable);
  const times: number[] = [];
  while (times.length < count) times.push(await startTime(executable));
  return times.sort((a, b) => a - b);
}

async function startTime(executable: string): Promise<number> {
  const since = performance.now();
  const child = spawn(executable, [], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const line = once(createInterface(child.stdout), "line").then(() => performance.now() - since);
  const early = exit.then(([status]) => Promise.reject(new Error(`${executable} ended with status ${status}.`)));
  const took = await Promise.race([line, early]);
  early.catch(() => {});
  child.kill("SIGKILL");
  await exit;
  return took;
}
