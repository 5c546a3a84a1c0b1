import { randomBytes } from "node:crypto";
import { isKnownKind, resourceFor } from "../../kube/index.ts";
import { nameOf, type Urn } from "../urn.ts";
import { isObject, type Properties, unknown, type Value } from "../values.ts";
import { valueAt } from "./objects.ts";

/** Says in the object itself that its name was made up, so that a later run may keep it or make up another. */
const autonamed = "pulumi.com/autonamed";

/**
 * Gives an object the name that it has, or makes one up (`LOGICAL-` and eight hexadecimal digits), and for namespaced
 * kinds the default namespace.
 */
export function withNames(
  urn: Urn,
  inputs: Properties,
  olds: Properties | undefined,
  defaultNamespace: string,
): Properties {
  const { metadata = {} } = inputs;
  if (!isObject(metadata)) return inputs;
  const named = { ...metadata };
  if (!named.name && named.name !== unknown) {
    const kept = olds && isAutonamed(olds) ? valueAt(olds.metadata, ["name"]) : undefined;
    named.name = kept ?? `${nameOf(urn)}-${randomBytes(4).toString("hex")}`;
    const annotations = isObject(named.annotations) ? named.annotations : {};
    if (named.annotations !== unknown) named.annotations = { ...annotations, [autonamed]: "true" };
  }
  if (isNamespaced(inputs) && (named.namespace === undefined || named.namespace === ""))
    named.namespace = defaultNamespace;
  return { ...inputs, metadata: named };
}

export function isAutonamed(inputs: Properties): boolean {
  return valueAt(inputs.metadata, ["annotations", autonamed]) === "true";
}

function isNamespaced({ apiVersion, kind }: Properties): boolean {
  if (typeof apiVersion !== "string" || typeof kind !== "string" || !isKnownKind(apiVersion, kind)) return false;
  return resourceFor(apiVersion, kind).namespaced;
}

/** `NAMESPACE/NAME`, or the name of an object that is in no namespace. */
export function idOf(metadata: { [key: string]: Value | undefined }): string {
  const name = String(metadata.name);
  return metadata.namespace ? `${metadata.namespace}/${name}` : name;
}

export function parseId(id: string): { namespace?: string; name: string } {
  const [first, second] = id.split("/");
  return second === undefined ? { name: first as string } : { namespace: first as string, name: second };
}
