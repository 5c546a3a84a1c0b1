import type { DiffRequest, DiffResult } from "../provider.ts";
import { equal, isObject, isSecret, type Properties, type Value, withoutSecrets } from "../values.ts";
import { isAutonamed, parseId } from "./naming.ts";
import { prune, valueAt } from "./objects.ts";

/** Paths that the API server, or the meaning of the object, does not let change in place; the same for every kind. */
const identity = ["metadata.name", "metadata.namespace"];

/** As the Kubernetes provider of Pulumi has them: Secrets and ConfigMaps are replaced when their data changes. */
const immutable: Readonly<Record<string, readonly string[]>> = {
  Secret: ["type", "data", "stringData"],
  ConfigMap: ["data", "binaryData"],
  ClusterRoleBinding: ["roleRef"],
  RoleBinding: ["roleRef"],
  Deployment: ["spec.selector"],
  Service: ["spec.clusterIP"],
};

/** Compares the inputs of the last run with those of this one; after a refresh, the former are what the cluster has. */
export function diffObjects({ id, oldInputs, newInputs }: DiffRequest): DiffResult {
  const diffs = changedPaths(oldInputs as Value, newInputs as Value);
  const paths = [...identity, ...(immutable[String(newInputs.kind)] ?? [])];
  const replaces = diffs.filter((diff) => paths.some((path) => diff === path || diff.startsWith(`${path}.`)));
  return {
    changes: diffs.length > 0,
    diffs,
    replaces,
    deleteBeforeReplace: replaces.length > 0 && keepsName(id, newInputs),
  };
}

/** Two objects can't have one name: where the program insists on it, the old one has to go first. */
function keepsName(id: string, inputs: Properties): boolean {
  const { name, namespace } = parseId(id);
  if (isAutonamed(inputs) || valueAt(inputs.metadata, ["name"]) !== name) return false;
  return (valueAt(inputs.metadata, ["namespace"]) ?? "") === (namespace ?? "");
}

/** The paths, joined by dots, at which two values differ; a list differs as a whole. */
export function changedPaths(before: Value | undefined, after: Value | undefined, path = ""): string[] {
  const [a, b] = [isSecret(before) ? before.value : before, isSecret(after) ? after.value : after];
  if (equal(withoutEmpty(a), withoutEmpty(b)) || (isNothing(a) && isNothing(b))) return [];
  if (!isObject(a) || !isObject(b)) return [path];
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.flatMap((key) => changedPaths(a[key], b[key], path ? `${path}.${key}` : key));
}

/** Whether the live object has everything that the inputs ask for. */
export function covers(live: Value | undefined, inputs: Properties): boolean {
  return changedPaths(prune(live, inputs as Value), withoutSecrets(inputs as Value)).length === 0;
}

/** A value as far as it says anything, secrets laid open: members of objects that are nothing are left out, at any depth. */
function withoutEmpty(value: Value | undefined): Value | undefined {
  if (isSecret(value)) return withoutEmpty(value.value);
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item) ?? null);
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([key, item]) => [key, withoutEmpty(item)] as const);
  return Object.fromEntries(members.filter(([, item]) => !isNothing(item)));
}

/** Pulumi's provider drops empty members from the inputs that it keeps, as the API server does from most objects. */
function isNothing(value: Value | undefined): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}
