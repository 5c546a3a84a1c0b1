import { isObject, type Value } from "../values.ts";

/** One entry of an object's `metadata.managedFields`. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  readonly fieldsV1?: Value;
  readonly subresource?: string;
  readonly [field: string]: unknown;
}

/** Under this manager objects are created; the provider of the Pulumi CLI takes its fields over before it applies. */
export const creationManager = "pulumi-kubernetes";
const movable = new Set([creationManager, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes", "before-first-apply"]);

/** kubectl calls itself by its subcommand (`kubectl-edit`, `kubectl-label`, …); whatever it set by hand is taken back. */
function isMovable(manager = ""): boolean {
  return movable.has(manager) || manager === "kubectl" || manager.startsWith("kubectl-");
}

/**
 * Hands the fields that were set by creation, or by hand with kubectl, over to the manager that applies from now on: only what a manager owns
 * goes away when it stops sending it (KEP-555). Answers undefined where there is nothing to hand over.
 */
export function takenOver(entries: readonly ManagedFields[], manager: string): ManagedFields[] | undefined {
  const moves = (entry: ManagedFields) =>
    !entry.subresource &&
    isMovable(entry.manager) &&
    (entry.operation === "Update" || (entry.manager !== creationManager && entry.operation === "Apply"));
  const moving = entries.filter(moves);
  if (moving.length === 0) return undefined;
  const isOwn = (entry: ManagedFields) =>
    entry.manager === manager && entry.operation === "Apply" && !entry.subresource;
  const owned = [...entries.filter(isOwn), ...moving];
  const [first] = owned;
  const merged: ManagedFields = {
    ...first,
    manager,
    operation: "Apply",
    fieldsV1: owned.map((entry) => entry.fieldsV1 ?? {}).reduce(union, {}),
  };
  return [merged, ...entries.filter((entry) => !moves(entry) && !isOwn(entry))];
}

function union(a: Value, b: Value): Value {
  if (!isObject(a) || !isObject(b)) return b;
  const result = { ...a };
  for (const [key, value] of Object.entries(b)) result[key] = union(result[key] ?? {}, value ?? {});
  return result;
}
