import type { Deployer } from "../cluster/deployer.ts";
import type { CheckFailure, Fields, Inputs } from "./fields.ts";
import type { Operation } from "./operation.ts";

/** The environment of a resource's operation. */
export interface Context extends Operation {
  /** Connects to the cluster as the deployer. */
  readonly deployer: Deployer;
}

/** The state of a resource. */
export interface State<I, O> {
  readonly id: string;
  /** All inputs, except on import. */
  readonly inputs: Partial<I>;
  /** Outputs of the last operation; empty on import. */
  readonly outputs: Partial<O>;
}

/** Changed properties, and whether the change is an update or a replacement. */
export type Changes = Readonly<Record<string, "update" | "replace">>;

/** Result of a preview. Missing outputs are unknown. */
export interface Preview<O> {
  readonly id?: string;
  readonly outputs: Partial<O>;
}

/**
 * One resource type of the plugin. Methods throw ProviderError or KubeError. Inputs and outputs are plain values. The server adds and removes
 * the marks of secrets, by `inputs` and `outputs`.
 */
export interface Resource<I, O> {
  /** Type token ("k8sauth:index:Cluster"). */
  readonly type: string;
  readonly inputs: Fields;
  readonly outputs: Fields;
  /** Checks inputs beyond their types, without any request. */
  check?(inputs: Inputs<I>): readonly CheckFailure[] | Promise<readonly CheckFailure[]>;
  /** Compares the inputs with the state, and the state with the cluster. */
  diff(state: State<I, O>, inputs: Inputs<I>, context: Context): Promise<Changes>;
  previewCreate(inputs: Inputs<I>, context: Context): Promise<Preview<O>>;
  create(inputs: I, context: Context): Promise<{ readonly id: string; readonly outputs: O }>;
  previewUpdate(state: State<I, O>, inputs: Inputs<I>, context: Context): Promise<Preview<O>>;
  update(state: State<I, O>, inputs: I, context: Context): Promise<O>;
  /** Reads the resource for a refresh or an import. Undefined if it is gone. */
  read(
    state: State<I, O>,
    context: Context,
  ): Promise<{ readonly id: string; readonly outputs: Partial<O> } | undefined>;
  /** @default nothing to delete */
  delete?(state: State<I, O>, context: Context): Promise<void>;
}

/** A resource of any type, for the server. */
export type AnyResource = Resource<Record<string, unknown>, Record<string, unknown>>;
