/** Runs one operation on every stack of a list, so that no cluster costs another one anything. */
import { availableParallelism } from "node:os";
import { type Changes, EngineError } from "../../engine/index.ts";
import { limiter } from "../../engine/limit.ts";
import { type Operation, type StackDriver, type StackFacts, StackFailure, type Task, type Watch } from "./driver.ts";
import type { Cluster, FleetList } from "./list.ts";
import { settingsFile, writeSettings } from "./settings.ts";

/** How it went with one stack. `notStarted`: the fleet was interrupted before it was its turn. */
export type Status = "succeeded" | "failed" | "timedOut" | "interrupted" | "notStarted";

export interface StackResult {
  readonly cluster: Cluster;
  readonly status: Status;
  readonly seconds: number;
  readonly changes: Changes;
  readonly error?: { readonly message: string; readonly code?: string };
  /** Undefined for a stack that was never made, or whose state can't be read. */
  readonly facts?: StackFacts;
}

/** What happens, as it happens. */
export interface FleetEvents {
  started(cluster: Cluster): void;
  progress(cluster: Cluster, text: string): void;
  log(cluster: Cluster, line: string): void;
  ended(result: StackResult): void;
}

export interface RunOptions {
  /** `report` runs nothing: it tells of the states as they were last saved. */
  readonly operation: Operation | "report";
  readonly parallel: number;
  readonly refreshFirst: boolean;
  readonly policyPacks: readonly string[];
  /** Aborts on Ctrl-C: stacks under way stop with their state saved, no other one is started. */
  readonly signal: AbortSignal;
  readonly events: FleetEvents;
}

/** Memory that one stack needs at its peak: engine, program and plugin. */
const stackMiB = 450;

/**
 * How many stacks to work on at once: two for each core, for a stack waits for its cluster for part of its time, and no more
 * than fit into two thirds of the memory that is free.
 */
export function defaultParallel(cores = availableParallelism(), freeBytes = process.availableMemory()): number {
  const fitting = Math.floor((freeBytes * 2) / 3 / (stackMiB * 1024 * 1024));
  return Math.max(1, Math.min(2 * cores, fitting));
}

/** Results in the order of the list. Never throws for what happens to a stack. */
export function runFleet(list: FleetList, driver: StackDriver, options: RunOptions): Promise<StackResult[]> {
  const limit = limiter(options.parallel);
  return Promise.all(list.clusters.map((cluster) => limit(() => runStack(list, cluster, driver, options))));
}

async function runStack(
  list: FleetList,
  cluster: Cluster,
  driver: StackDriver,
  { operation, signal, events, refreshFirst, policyPacks }: RunOptions,
): Promise<StackResult> {
  const { program } = list;
  const place = { cluster, settingsFile: settingsFile(list, cluster), program, refreshFirst, policyPacks };
  const started = performance.now();
  const outcome = signal.aborted
    ? ({ status: "notStarted", changes: {} } as const)
    : await attempt(async () => {
        events.started(cluster);
        if (operation === "report") return {};
        if (operation === "up" || operation === "preview") await writeSettings(list, cluster);
        return runInTime(driver, { ...place, operation }, signal, events);
      });
  const seconds = (performance.now() - started) / 1000;
  let facts: StackFacts | undefined;
  let unreadable: Partial<StackResult> = {};
  try {
    // After an interruption nobody waits for what the others are like.
    if (outcome.status !== "notStarted") facts = await driver.facts(place);
  } catch (error) {
    // Of two failures the first is the one that matters.
    if (outcome.status === "succeeded") unreadable = failure(error, "failed");
  }
  const result = { cluster, seconds, ...outcome, ...unreadable, ...(facts && { facts }) };
  events.ended(result);
  return result;
}

type Outcome = Pick<StackResult, "status" | "changes" | "error">;

async function attempt(act: () => Promise<Changes>): Promise<Outcome> {
  try {
    return { status: "succeeded", changes: await act() };
  } catch (error) {
    return { changes: {}, ...failure(error, error instanceof Stopped ? error.status : "failed") };
  }
}

/** The operation was told to stop, and says how that came. */
class Stopped extends Error {
  readonly status: "timedOut" | "interrupted";

  constructor(status: "timedOut" | "interrupted", message: string) {
    super(message);
    this.status = status;
  }
}

async function runInTime(
  driver: StackDriver,
  task: Task,
  interrupted: AbortSignal,
  events: FleetEvents,
): Promise<Changes> {
  const { cluster } = task;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), cluster.timeoutSeconds * 1000);
  let doing = "";
  const watch: Watch = {
    signal: AbortSignal.any([interrupted, timeout.signal]),
    progress: (text) => {
      doing = text;
      events.progress(cluster, text);
    },
    log: (line) => events.log(cluster, line),
  };
  try {
    return await driver.run(task, watch);
  } catch (error) {
    if (interrupted.aborted) throw new Stopped("interrupted", "Interrupted; run it again to go on.");
    if (!timeout.signal.aborted) throw error;
    const at = doing ? ` at: ${doing}` : "";
    throw new Stopped("timedOut", `Not done within ${cluster.timeoutSeconds} s; stopped${at}. Run it again to go on.`);
  } finally {
    clearTimeout(timer);
  }
}

function failure(error: unknown, status: Status): Pick<StackResult, "status" | "error"> {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof StackFailure || error instanceof EngineError ? error.code : undefined;
  return { status, error: { message, ...(code && { code }) } };
}
