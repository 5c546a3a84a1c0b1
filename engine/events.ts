import type { PolicyViolation } from "./policyPack.ts";
import type { Urn } from "./urn.ts";

/** What happens to a resource. `create-replacement` and `delete-replaced` are the halves of a replacement. */
export type Operation =
  | "same"
  | "create"
  | "update"
  | "replace"
  | "create-replacement"
  | "delete"
  | "delete-replaced"
  | "refresh";

export interface StepEvent {
  readonly kind: "step";
  readonly state: "started" | "done" | "failed";
  readonly operation: Operation;
  readonly urn: Urn;
  /** Names of the properties that differ; never their values. */
  readonly diffs: readonly string[];
  /** Of those, the ones that force a replacement. */
  readonly replaces: readonly string[];
  /** Found by a refresh and done to the state alone: `delete` is gone, `update` differs. */
  readonly drift?: boolean;
}

/** What a refresh found to be otherwise than the state says. */
export interface Drift {
  readonly urn: Urn;
  /** It is not there any more, or what it gave does not work any more. */
  readonly gone: boolean;
  /** Names of the properties that differ; never their values. */
  readonly diffs: readonly string[];
}

export interface DiagnosticEvent {
  readonly kind: "diagnostic";
  readonly severity: "info" | "warning" | "error";
  readonly message: string;
  readonly urn?: Urn;
  /** Progress that need not be kept. */
  readonly ephemeral: boolean;
  /** Of what a policy found: a warning if it is advisory, else an error. */
  readonly violation?: PolicyViolation;
}

export type EngineEvent = StepEvent | DiagnosticEvent;
export type EventSink = (event: EngineEvent) => void;

/** How many resources each operation touched. */
export type Changes = Partial<Record<Operation, number>>;

/** Whether anything but confirmations happened. */
export function hasChanges(changes: Changes): boolean {
  return Object.entries(changes).some(
    ([operation, count]) => operation !== "same" && operation !== "refresh" && count > 0,
  );
}
