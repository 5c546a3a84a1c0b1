import { unwatchFile, watchFile } from "node:fs";
import { open } from "node:fs/promises";

/** An operation on a resource, as Pulumi's engine calls it. */
export type Operation =
  | "same"
  | "create"
  | "update"
  | "replace"
  | "create-replacement"
  | "delete"
  | "delete-replaced"
  | "refresh"
  | "read"
  | (string & {});

export interface StepEvent {
  readonly kind: "step";
  readonly state: "started" | "done" | "failed";
  readonly operation: Operation;
  readonly urn: string;
  /** Whether the resource is a component or the stack, which have no object. */
  readonly component: boolean;
  /** Names of the properties that differ. */
  readonly diffs: readonly string[];
  /** Of those, the ones that force a replacement. */
  readonly replaces: readonly string[];
  /** After a refresh: names of the properties that differ from the state. */
  readonly drifted: readonly string[];
  /** After a refresh: the resource no longer exists. */
  readonly gone: boolean;
}

export interface DiagnosticEvent {
  readonly kind: "diagnostic";
  readonly severity: "debug" | "info" | "warning" | "error";
  readonly message: string;
  readonly urn: string;
  /** Progress that need not be kept. */
  readonly ephemeral: boolean;
}

export interface PolicyEvent {
  readonly kind: "violation";
  readonly violation: Violation;
}

export interface SummaryEvent {
  readonly kind: "summary";
  readonly changes: Changes;
}

export type EngineEvent = StepEvent | DiagnosticEvent | PolicyEvent | SummaryEvent;

/** How many resources each operation touched. */
export type Changes = Partial<Record<Operation, number>>;

/** Whether there was any operation except `same` and `refresh`. */
export function hasChanges(changes: Changes): boolean {
  return Object.entries(changes).some(
    ([operation, count = 0]) => !["same", "refresh"].includes(operation) && count > 0,
  );
}

/** Finding of a policy. */
export interface Violation {
  readonly pack: string;
  readonly policy: string;
  readonly level: "advisory" | "mandatory";
  readonly urn: string;
  readonly message: string;
}

interface Metadata {
  readonly op: string;
  readonly urn: string;
  readonly diffs?: readonly string[] | null;
  readonly keys?: readonly string[] | null;
  readonly detailedDiff?: Readonly<Record<string, unknown>> | null;
  readonly new?: { readonly custom?: boolean } | null;
}

/** One line of the file that `--event-log` writes, as far as tests use it (apitype.EngineEvent of Pulumi's SDK). */
interface LoggedEvent {
  readonly resourcePreEvent?: { readonly metadata: Metadata };
  readonly resOutputsEvent?: { readonly metadata: Metadata };
  readonly resOpFailedEvent?: { readonly metadata: Metadata };
  readonly diagnosticEvent?: {
    readonly urn?: string;
    readonly message: string;
    readonly severity: string;
    readonly ephemeral?: boolean;
  };
  readonly policyEvent?: {
    readonly resourceUrn?: string;
    readonly message: string;
    readonly policyName: string;
    readonly policyPackName: string;
    readonly enforcementLevel: string;
  };
  readonly summaryEvent?: { readonly resourceChanges?: Changes };
}

/** Reads one line of an event log; undefined for events that tests do not use. */
export function readEvent(line: string): EngineEvent | undefined {
  const event = JSON.parse(line) as LoggedEvent;
  if (event.resourcePreEvent) return step("started", event.resourcePreEvent.metadata);
  if (event.resOutputsEvent) return step("done", event.resOutputsEvent.metadata);
  if (event.resOpFailedEvent) return step("failed", event.resOpFailedEvent.metadata);
  if (event.summaryEvent) return { kind: "summary", changes: event.summaryEvent.resourceChanges ?? {} };
  if (event.policyEvent) {
    const { resourceUrn: urn = "", message, policyName: policy, policyPackName: pack } = event.policyEvent;
    const level = event.policyEvent.enforcementLevel === "mandatory" ? "mandatory" : "advisory";
    return { kind: "violation", violation: { pack, policy, level, urn, message: plain(message).trim() } };
  }
  if (event.diagnosticEvent) {
    const { urn = "", message, severity, ephemeral = false } = event.diagnosticEvent;
    const [kind = "info"] = severity.split("#");
    return {
      kind: "diagnostic",
      severity: kind as DiagnosticEvent["severity"],
      message: plain(message).trimEnd(),
      urn,
      ephemeral,
    };
  }
  return undefined;
}

function step(state: StepEvent["state"], metadata: Metadata): StepEvent {
  const { op, urn, diffs, keys, detailedDiff } = metadata;
  const refreshed = op === "refresh" && state === "done";
  const paths = refreshed ? Object.keys(detailedDiff ?? {}) : [];
  return {
    kind: "step",
    state,
    operation: op,
    urn,
    component: !!metadata.new && !metadata.new.custom,
    diffs: diffs ?? [],
    replaces: keys ?? [],
    drifted: [...new Set(paths.map((path) => path.replace(/[.[].*/, "")))].sort(),
    gone: refreshed && !metadata.new,
  };
}

/** A message without the engine's marks for colours. */
function plain(message: string): string {
  return message.replace(/<\{%.*?%\}>/g, "");
}

/** Follows an event log while it is written. */
export class EventLog {
  readonly #file: string;
  readonly #emit: (event: EngineEvent) => void;
  #rest = "";
  #position = 0;
  #reading: Promise<void> = Promise.resolve();
  readonly #onChange = () => this.#read();

  /** @param file exists and is empty */
  constructor(file: string, emit: (event: EngineEvent) => void) {
    this.#file = file;
    this.#emit = emit;
    // Polls the file. inotify would report changes at once, but its instances are limited, and each CLI under test needs some.
    watchFile(file, { interval: 20, persistent: false }, this.#onChange);
  }

  /** Reads the rest, and stops. */
  async close(): Promise<void> {
    unwatchFile(this.#file, this.#onChange);
    this.#read();
    await this.#reading;
  }

  #read(): void {
    this.#reading = this.#reading.then(async () => {
      await using file = await open(this.#file);
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc((await file.stat()).size - this.#position),
        position: this.#position,
      });
      this.#position += bytesRead;
      const lines = (this.#rest + buffer.toString("utf8", 0, bytesRead)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) {
        const event = readEvent(line);
        if (event) this.#emit(event);
      }
    });
  }
}
