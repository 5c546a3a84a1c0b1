/**
 * Functions of Pulumi's SDK that its plugin server uses for components. The SDK exports them without types. They belong to the version of
 * `@pulumi/pulumi` that package.json pins.
 */
import * as pulumi from "@pulumi/pulumi";
import type * as pb from "@pulumi/pulumi/proto/provider_pb.js";
import server from "@pulumi/pulumi/provider/server.js";
import resources from "@pulumi/pulumi/runtime/resource.js";
import state from "@pulumi/pulumi/runtime/state.js";

interface Runtime {
  awaitFeatureSupport(): Promise<void>;
  /** Resolves when the engine has answered every registration. */
  waitForRPCs(): Promise<void>;
}

interface Resources {
  hookBindingFromProto(hooks: ReturnType<pb.ConstructRequest["getResourceHooks"]>): pulumi.ResourceHookBinding;
}

interface State {
  /** Runs a function with a separate state of the SDK's runtime, since several components are constructed at once. */
  withLocalStorage<T>(work: () => Promise<T>): Promise<T>;
}

interface Server {
  deserializeInputs(
    inputs: ReturnType<pb.ConstructRequest["getInputs"]>,
    dependencies: ReturnType<pb.ConstructRequest["getInputdependenciesMap"]>,
  ): Promise<pulumi.Inputs>;
  containsOutputs(value: unknown): boolean;
}

export const { awaitFeatureSupport, waitForRPCs } = pulumi.runtime as unknown as Runtime;
export const { hookBindingFromProto } = resources as unknown as Resources;
export const { withLocalStorage } = state as unknown as State;
export const { deserializeInputs, containsOutputs } = server as unknown as Server;
