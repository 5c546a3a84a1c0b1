/** What the fleet needs of an engine. Two have it: Pulumi's Automation API and the embedded engine. */
import type { Changes, Value } from "../../engine/index.ts";
import type { Cluster } from "./list.ts";

export type Operation = "up" | "preview" | "refresh" | "destroy";

/** One operation on one cluster's stack. */
export interface Task {
  readonly operation: Operation;
  readonly cluster: Cluster;
  /** The stack's settings file. */
  readonly settingsFile: string;
  /** The folder of Pulumi.yaml. */
  readonly program: string;
  /** Before an `up`: reads what the cluster really has, so that drift is healed too. */
  readonly refreshFirst: boolean;
  /** Folders of policy packs that `up` and `preview` have to pass. */
  readonly policyPacks: readonly string[];
}

/** How a driver tells what goes on, and is told to stop. */
export interface Watch {
  /** What is being done, in a few words. */
  progress(text: string): void;
  /** A line for the stack's log: what was done, warnings and errors. Never a secret. */
  log(line: string): void;
  /** Aborts on Ctrl-C and at the cluster's timeout. The driver then settles within {@link stopGrace}. */
  readonly signal: AbortSignal;
}

/** How long an operation that is told to stop may take to do so before its processes are killed, in milliseconds. */
export const stopGrace = 15_000;

/** A stack's outputs, as far as they may be shown to anybody. */
export interface StackFacts {
  readonly credentials: Readonly<Record<string, { readonly [field: string]: Value | undefined }>>;
  readonly cluster: { readonly [field: string]: Value | undefined };
}

export interface StackDriver {
  readonly engine: "embedded" | "pulumi";
  /** Runs an operation to its end. Throws with the reason, as a {@link StackFailure} where it has a code. */
  run(task: Task, watch: Watch): Promise<Changes>;
  /** What the stack's outputs were when its state was last saved; undefined for one that never was. */
  facts(task: Omit<Task, "operation">): Promise<StackFacts | undefined>;
}

/** Why an operation failed; the message never holds a secret. */
export class StackFailure extends Error {
  override readonly name = "StackFailure";
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
  }
}

/** Takes what may be shown from a stack's outputs. What is secret, or was once, is left out. */
export function publicFacts(outputs: Readonly<Record<string, Value | undefined>>): StackFacts {
  const { credentials, cluster } = outputs;
  const entries = Object.entries(plainMap(credentials)).map(([name, facts]) => [name, plainMap(facts)] as const);
  return { credentials: Object.fromEntries(entries), cluster: plainMap(cluster) };
}

/** The fields of an object that are plain values: a secret is an object under Pulumi's signature, and goes. */
function plainMap(value: Value | undefined): { [key: string]: Value | undefined } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return "4dabf18193072939515e22adb298388d" in value ? {} : value;
}
