/**
 * The embedded engine: runs a Pulumi program and keeps its state as the Pulumi CLI's file backend does, without the
 * CLI. One process, which starts the program and the plugins as children.
 */

export { openBackend } from "./backend.ts";
export { type DestroyOptions, destroy } from "./destroy.ts";
export { EngineError, type EngineErrorCode } from "./errors.ts";
export {
  type Changes,
  type DiagnosticEvent,
  type Drift,
  type EngineEvent,
  type EventSink,
  hasChanges,
  type Operation,
  type StepEvent,
} from "./events.ts";
export { stackOutputs } from "./outputs.ts";
export type { PolicyPackOptions, PolicyViolation } from "./policyPack.ts";
export { type RefreshOptions, refresh } from "./refresh.ts";
export { type OpenStack, openStack, type StackOptions } from "./session.ts";
export {
  type ExportedStack,
  type ExportOptions,
  exportStack,
  type Imported,
  importStack,
  listStacks,
  type RemoveOptions,
  removeStack,
  type StackSummary,
} from "./transfer.ts";
export { type UpdateOptions, type UpdateResult, update } from "./update.ts";
export { nameOf, typeOf, type Urn } from "./urn.ts";
export { containsSecret, isSecret, type Properties, redacted, type Value, withoutSecrets } from "./values.ts";
export { cacheFolder, stateFolder } from "./workspace.ts";
