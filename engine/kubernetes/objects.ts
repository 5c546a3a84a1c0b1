import { isObject, isSecret, type Properties, secret, type Value, withoutSecrets } from "../values.ts";

/** A Kubernetes object as the API serialises it. */
export type KubernetesObject = { [key: string]: Value | undefined } & {
  apiVersion: string;
  kind: string;
  metadata: { [key: string]: Value | undefined; name?: string; namespace?: string };
};

/** The object that inputs describe, secrets laid open: what is sent to the server. */
export function objectOf(inputs: Properties): KubernetesObject {
  const bare = withoutSecrets(inputs as Value);
  if (!isObject(bare) || typeof bare.apiVersion !== "string" || typeof bare.kind !== "string") {
    throw new Error("The object has no apiVersion or kind.");
  }
  return {
    ...bare,
    apiVersion: bare.apiVersion,
    kind: bare.kind,
    metadata: isObject(bare.metadata) ? bare.metadata : {},
  };
}

/** What a path of keys leads to, through secrets. */
export function valueAt(value: Value | undefined, path: readonly string[]): Value | undefined {
  const bare = isSecret(value) ? value.value : value;
  const [key, ...rest] = path;
  if (key === undefined) return bare;
  return isObject(bare) ? valueAt(bare[key], rest) : undefined;
}

/** When the server made an object, to the second; RFC 3339 in UTC sorts as text. */
export function madeAt(outputs: Properties): string {
  return String(valueAt(outputs.metadata, ["creationTimestamp"]) ?? "");
}

/** The live value reduced to what the inputs speak of: what it has drifted to, where it differs. */
export function prune(live: Value | undefined, inputs: Value | undefined): Value | undefined {
  const shape = isSecret(inputs) ? inputs.value : inputs;
  if (isObject(live) && isObject(shape)) {
    const kept = Object.keys(shape).filter((key) => live[key] !== undefined);
    return Object.fromEntries(kept.map((key) => [key, prune(live[key], shape[key])]));
  }
  if (Array.isArray(live) && Array.isArray(shape)) {
    return live.map((item, index) => (index < shape.length ? (prune(item, shape[index]) ?? null) : item));
  }
  return live;
}

/**
 * Marks in the live value what the inputs have marked secret; a list that holds a secret is secret as a whole. The data
 * of Secrets is secret whatever the inputs say.
 */
export function markSecrets(live: Properties, inputs: Properties): Properties {
  const marked = { ...(copyMarks(live, inputs) as Properties) };
  if (marked.kind !== "Secret" || marked.apiVersion !== "v1") return marked;
  for (const key of ["data", "stringData"]) {
    const value = marked[key];
    if (value !== undefined) marked[key] = secret(value);
  }
  return marked;
}

function copyMarks(live: Value, inputs: Value | undefined): Value {
  if (isSecret(inputs)) return secret(live);
  if (Array.isArray(live) && Array.isArray(inputs)) {
    return hasMark(inputs) ? secret(live) : live;
  }
  if (!isObject(live) || !isObject(inputs)) return live;
  return Object.fromEntries(
    Object.entries(live).map(([key, value]) => [key, value === undefined ? value : copyMarks(value, inputs[key])]),
  );
}

function hasMark(value: Value | undefined): boolean {
  if (isSecret(value)) return true;
  if (Array.isArray(value)) return value.some(hasMark);
  return isObject(value) && Object.values(value).some(hasMark);
}
