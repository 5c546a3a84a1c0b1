/**
 * Property values as they travel over Pulumi's gRPC protocols and lie in its state: JSON, in which objects under a
 * signature key stand for secrets, unknowns, references and assets. The engine keeps this form throughout.
 * Source of the signatures: `@pulumi/pulumi/runtime/rpc`.
 */
export type Value = null | boolean | number | string | Value[] | { [key: string]: Value | undefined };
export type Properties = Record<string, Value | undefined>;

export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
export const resourceSignature = "5cf8f73096256a8f31e491e813e4eb8e";
export const outputSignature = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const assetSignature = "c44067f5952c0a294b673a41bacd8c17";
const archiveSignature = "0def7320c3a5731c473e5ecbe6d01bc7";

/** Stands for any value that is not known yet (in a preview). */
export const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export interface SecretValue {
  [signatureKey]: typeof secretSignature;
  value: Value;
  [key: string]: Value | undefined;
}

export function isObject(value: unknown): value is { [key: string]: Value | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isSecret(value: Value | undefined): value is SecretValue {
  return isObject(value) && value[signatureKey] === secretSignature;
}

/** Marks a value secret; a value that is secret already stays as it is. */
export function secret(value: Value): SecretValue {
  return isSecret(value) ? value : { [signatureKey]: secretSignature, value: withoutSecrets(value) };
}

/** Rebuilds a value from the leaves up; `visit` sees every node after its children and may answer another one. */
function transform(value: Value, visit: (node: Value) => Value): Value {
  if (Array.isArray(value)) return visit(value.map((item) => transform(item, visit)));
  if (!isObject(value)) return visit(value);
  const copy: { [key: string]: Value } = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = transform(item, visit);
  return visit(copy);
}

/** The value with every secret replaced by what it holds. */
export function withoutSecrets<T extends Value>(value: T): T {
  return transform(value, (node) => (isSecret(node) ? node.value : node)) as T;
}

/** The value with every secret replaced by a marker: what may be shown. */
export function redacted(value: Value, marker = "[secret]"): Value {
  if (isSecret(value)) return marker;
  if (Array.isArray(value)) return value.map((item) => redacted(item, marker));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redacted(item ?? null, marker)]));
}

function some(value: Value | undefined, test: (node: Value) => boolean): boolean {
  if (value === undefined) return false;
  if (test(value)) return true;
  if (Array.isArray(value)) return value.some((item) => some(item, test));
  return isObject(value) && Object.values(value).some((item) => some(item, test));
}

export function containsSecret(value: Value | undefined): boolean {
  return some(value, isSecret);
}

export function containsUnknown(value: Value | undefined): boolean {
  return some(value, (node) => node === unknown);
}

/** Assets and archives: values that the engine refuses. */
export function containsAsset(value: Value | undefined): boolean {
  return some(
    value,
    (node) => isObject(node) && (node[signatureKey] === assetSignature || node[signatureKey] === archiveSignature),
  );
}

/** The value with output values and resource references reduced to what a provider that takes neither understands. */
export function plain(value: Value): Value {
  return transform(value, (node) => {
    if (!isObject(node)) return node;
    if (node[signatureKey] === outputSignature) {
      const inner = node.value === undefined ? unknown : node.value;
      return node.secret === true ? secret(inner) : inner;
    }
    if (node[signatureKey] === resourceSignature)
      return node.id === undefined ? (node.urn ?? null) : node.id || unknown;
    return node;
  });
}

/** Deep equality of values; absent and undefined members are the same. */
export function equal(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equal(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) if (!equal(a[key], b[key])) return false;
  return true;
}

/** The members of the top level in which two property sets differ, whether or not they are marked secret. */
export function changedKeys(before: Properties, after: Properties): string[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const bare = (value: Value | undefined) => (value === undefined ? undefined : withoutSecrets(value));
  return keys.filter((key) => !equal(bare(before[key]), bare(after[key]))).sort();
}
