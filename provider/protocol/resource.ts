import type { Deployer } from "../cluster/deployer.ts";
import type { CheckFailure, Fields, Inputs } from "./fields.ts";
import type { Operation } from "./operation.ts";

/** What a resource may touch of the world. */
export interface Context extends Operation {
  /** Reaches the cluster as the deployer. */
  readonly deployer: Deployer;
}

/** A resource as the state has it. */
export interface State<I, O> {
  readonly id: string;
  /** As far as the engine hands them over: all of them, except on import. */
  readonly inputs: Partial<I>;
  /** As the last operation left them; empty on import. */
  readonly outputs: Partial<O>;
}

/** Properties that change, and how. */
export type Changes = Readonly<Record<string, "update" | "replace">>;

/** What a preview can say: outputs that are missing are not known yet. */
export interface Forecast<O> {
  readonly id?: string;
  readonly outputs: Partial<O>;
}

/**
 * One type of the plugin. Methods throw ProviderError or KubeError. Inputs and outputs are plain values: secrets are
 * wrapped and unwrapped outside, by the marks of `inputs` and `outputs`.
 */
export interface Resource<I, O> {
  /** Type token ("k8sauth:index:Cluster"). */
  readonly type: string;
  readonly inputs: Fields;
  readonly outputs: Fields;
  /** What is wrong with the inputs beyond their types; asks nobody. */
  check?(inputs: Inputs<I>): readonly CheckFailure[] | Promise<readonly CheckFailure[]>;
  /** Compares, and looks whether what the state says is still so. */
  diff(state: State<I, O>, inputs: Inputs<I>, context: Context): Promise<Changes>;
  previewCreate(inputs: Inputs<I>, context: Context): Promise<Forecast<O>>;
  create(inputs: I, context: Context): Promise<{ readonly id: string; readonly outputs: O }>;
  previewUpdate(state: State<I, O>, inputs: Inputs<I>, context: Context): Promise<Forecast<O>>;
  update(state: State<I, O>, inputs: I, context: Context): Promise<O>;
  /** Looks again; undefined when it is gone. */
  read(
    state: State<I, O>,
    context: Context,
  ): Promise<{ readonly id: string; readonly outputs: Partial<O> } | undefined>;
  /** Without it there is nothing to delete. */
  delete?(state: State<I, O>, context: Context): Promise<void>;
}

/** A resource whose own types do not matter to the one who serves it. */

export type AnyResource = Resource<Record<string, unknown>, Record<string, unknown>>;
