import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { ProviderError } from "../protocol/errors.ts";

/** Kind and name of an object. */
export interface ReservedName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

interface Binding extends KubeObject {
  readonly roleRef?: { readonly kind?: string; readonly name?: string };
}

/**
 * Checks that no object has one of the names. Nothing else checks it: the Kubernetes plugin creates objects by server-side apply, which
 * overwrites an object that exists. A name that the deployer may not read is therefore an error too.
 *
 * @throws ProviderError CLUSTER_NAME_TAKEN with every name in use
 * @throws KubeError KUBE_FORBIDDEN
 */
export async function requireFreeNames(client: KubeClient, names: readonly ReservedName[]): Promise<void> {
  const taken = (await Promise.all(names.map((name) => describeExisting(client, name)))).filter(
    (text) => text !== undefined,
  );
  if (taken.length === 0) return;
  throw new ProviderError(
    "CLUSTER_NAME_TAKEN",
    `The cluster at ${client.connection.server} has ${taken.join("; ")}, and this stack did not create ${taken.length === 1 ? "it" : "them"}.`,
    "Choose another name, or delete the object if nothing uses it. The stack never takes over an object.",
  );
}

/** Returns the names that are in use, as far as the deployer may read the objects. */
export async function namesInUse(client: KubeClient, names: readonly ReservedName[]): Promise<ReservedName[]> {
  const found = await Promise.all(
    names.map((name) =>
      describeExisting(client, name).catch((error: unknown) => {
        if (isKubeError(error, "KUBE_FORBIDDEN")) return undefined;
        throw error;
      }),
    ),
  );
  return names.filter((_, index) => found[index] !== undefined);
}

async function describeExisting(client: KubeClient, wanted: ReservedName): Promise<string | undefined> {
  const { apiVersion, kind, namespace, name } = wanted;
  const found = await client.find<Binding>(pathFor(apiVersion, kind, namespace, name));
  if (found === undefined) return undefined;
  const role = found.roleRef ? `, bound to ${found.roleRef.kind} "${found.roleRef.name}"` : "";
  return `a ${describeName(wanted)} already${role}`;
}

/** Describes a name: `Secret "gateway-token" in namespace auth`. */
export function describeName({ kind, namespace, name }: ReservedName): string {
  return `${kind} "${name}"${namespace ? ` in namespace ${namespace}` : ""}`;
}
