import { EngineError } from "./errors.ts";
import type { Deployment } from "./state.ts";
import { isObject, type Value } from "./values.ts";

/** What a state file or an export holds; secrets in it are ciphertexts. */
export interface Checkpoint {
  readonly version: number;
  readonly deployment: Deployment;
  /** Fields of version 4, kept as they are. */
  readonly features?: readonly string[];
}

/** The error for a text that is not what it should be. */
export function corrupt(source: string, why: string): EngineError {
  return new EngineError(
    "STATE_CORRUPT",
    `${source} is not a state of this stack: ${why}. Nothing was changed; restore it from a backup.`,
  );
}

/** Checks what a state and an export have in common. Throws `STATE_CORRUPT` or `STATE_FOREIGN`. */
export function readCheckpoint(json: { [key: string]: Value | undefined }, deployment: Value, source: string) {
  const { version, features } = json;
  if (version !== 3 && version !== 4) {
    throw new EngineError(
      "STATE_FOREIGN",
      `${source} has state version ${String(version)}; this engine knows 3 and 4.`,
    );
  }
  if (Array.isArray(features) && features.length > 0) {
    throw new EngineError(
      "STATE_FOREIGN",
      `${source} uses features that this engine does not know: ${features.join(", ")}. Use the Pulumi CLI for this stack.`,
    );
  }
  if (!isObject(deployment)) throw corrupt(source, "the deployment is not an object");
  const resources = deployment.resources ?? [];
  const sound = (item: Value) => isObject(item) && typeof item.urn === "string" && typeof item.type === "string";
  if (!Array.isArray(resources) || !resources.every(sound)) {
    throw corrupt(source, "its resources are not a list of resources");
  }
  const pending = deployment.pending_operations ?? [];
  if (!Array.isArray(pending) || !pending.every((item) => isObject(item) && sound(item.resource ?? null))) {
    throw corrupt(source, "its pending operations are not a list of operations on resources");
  }
  const checkpoint: Checkpoint = {
    version,
    deployment: deployment as Deployment,
    ...(Array.isArray(features) && { features: features as string[] }),
  };
  return checkpoint;
}
