import type { Urn } from "./urn.ts";
import type { Properties } from "./values.ts";

/** What the engine asks of whatever manages resources: a plugin process over gRPC, or a provider built in. */
export interface Provider {
  /** Without it, creations and updates are not asked for in previews. */
  readonly supportsPreview: boolean;
  checkConfig(request: CheckRequest): Promise<CheckResult>;
  diffConfig(request: DiffRequest): Promise<DiffResult>;
  /** Takes the provider resource's own inputs; called once, before any of the calls below. */
  configure(inputs: Properties): Promise<void>;
  check(request: CheckRequest): Promise<CheckResult>;
  diff(request: DiffRequest): Promise<DiffResult>;
  create(request: CreateRequest): Promise<Created>;
  update(request: UpdateRequest): Promise<Properties>;
  /** The resource as it is; undefined when it is gone. */
  read(request: ReadRequest): Promise<ReadResult | undefined>;
  delete(request: DeleteRequest): Promise<void>;
  /**
   * Looks for what an interrupted `create` with these inputs may have left; `current` are the outputs of the resource that
   * the state knows under the same name, if any. Absent: `create` finds it by itself.
   */
  find?(urn: Urn, inputs: Properties, current?: Properties): Promise<Found | undefined>;
  /** Ends what is under way as soon as possible. */
  cancel(): Promise<void>;
  /** Ends the provider; nothing is asked of it afterwards. */
  close(): Promise<void>;
}

export interface CheckRequest {
  readonly urn: Urn;
  readonly olds: Properties | undefined;
  readonly news: Properties;
}

export interface CheckResult {
  readonly inputs: Properties;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

export interface DiffRequest {
  readonly urn: Urn;
  readonly id: string;
  readonly oldInputs: Properties;
  readonly oldOutputs: Properties;
  readonly newInputs: Properties;
  readonly ignoreChanges: readonly string[];
}

export interface DiffResult {
  readonly changes: boolean;
  /** Properties that can't be changed in place. */
  readonly replaces: readonly string[];
  /** Property paths that differ, for display. */
  readonly diffs: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

export interface CreateRequest {
  readonly urn: Urn;
  readonly inputs: Properties;
  readonly preview: boolean;
}

/** `id` is empty in previews. */
export interface Created {
  readonly id: string;
  readonly outputs: Properties;
}

/** What an interrupted creation left. */
export interface Found extends Created {
  /** Not made after the current resource: that one was made in place of it. */
  readonly superseded: boolean;
}

export interface UpdateRequest {
  readonly urn: Urn;
  readonly id: string;
  readonly oldInputs: Properties;
  readonly oldOutputs: Properties;
  readonly newInputs: Properties;
  readonly ignoreChanges: readonly string[];
  readonly preview: boolean;
}

export interface ReadRequest {
  readonly urn: Urn;
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

export interface ReadResult {
  readonly inputs: Properties;
  readonly outputs: Properties;
  /** Paths at which the resource differs from its inputs. Absent: every change of inputs and outputs is a difference. */
  readonly drift?: readonly string[];
}

export interface DeleteRequest {
  readonly urn: Urn;
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

/** Thrown by `create` and `update`: the object exists, but did not become what it should. It enters the state. */
export class InitFailed extends Error {
  override readonly name = "InitFailed";
  readonly id: string;
  readonly outputs: Properties;
  readonly reasons: readonly string[];

  constructor(id: string, outputs: Properties, reasons: readonly string[]) {
    super(reasons.join("; "));
    this.id = id;
    this.outputs = outputs;
    this.reasons = reasons;
  }
}

/** Thrown by a provider that can't tell whether a change happened (a lost connection, say): the next run looks again. */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";
}

export const noDiff: DiffResult = { changes: false, replaces: [], diffs: [], deleteBeforeReplace: false };
