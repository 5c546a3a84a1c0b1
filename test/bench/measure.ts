import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** One run of a command. */
export interface Run {
  readonly seconds: number;
  /** Largest sum of the proportional set sizes (PSS) of all its processes, in MiB; 0 where there is no /proc. */
  readonly peakMiB: number;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Sampling costs time itself, so that times are taken without it. */
  readonly memory?: boolean;
  /** Between two samples, in milliseconds. @default 25 */
  readonly sampleMs?: number;
}

/** Runs a command and waits for it. Throws with its output when it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const started = performance.now();
  const child = spawn(command, args, { env: options.env, cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  let peak = 0;
  const sampler = options.memory
    ? setInterval(() => (peak = Math.max(peak, treeMiB(child))), options.sampleMs ?? 25)
    : undefined;
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearInterval(sampler);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${code}:\n${output}`);
  return { seconds: (performance.now() - started) / 1000, peakMiB: peak };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/** PSS of a process and its descendants: shared pages are counted once. */
function treeMiB(root: ChildProcess): number {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = parentOf(entry);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const sum = (pid: number): number =>
    pssOf(pid) + (children.get(pid) ?? []).reduce((total, child) => total + sum(child), 0);
  return root.pid === undefined ? 0 : sum(root.pid) / 1024;
}

function parentOf(pid: string): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
