import type { KubeClient, KubeObject, ObjectMeta } from "../../kubernetes/client.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import { describeName, type ReservedName } from "./reservedNames.ts";

/** The manifest of an object that will be created under a fixed name, in a namespace. */
export interface PlannedObject extends KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta & { readonly namespace: string; readonly name: string };
}

/**
 * Refuses to begin where the API server would refuse an object: a quota, an admission webhook or policy, or its own validation. Each object
 * is created by a dry run, which the server checks like any other request and does not store. Objects are tried one by one: a quota that
 * has room for one of two is not seen. An object that exists, and a namespace that does not, are for others to report.
 *
 * @throws ProviderError CLUSTER_OBJECT_REFUSED with all that are refused
 */
export async function requireAccepted(
  client: KubeClient,
  planned: readonly PlannedObject[],
  context: Context,
): Promise<void> {
  const refusals = (await Promise.all(planned.map((object) => refusalOf(client, object, context)))).filter(
    (text) => text !== undefined,
  );
  if (refusals.length === 0) return;
  throw new ProviderError(
    "CLUSTER_OBJECT_REFUSED",
    `The cluster at ${client.connection.server} refuses what this stack is going to create, as a dry run shows. ${refusals.join(" ")}`,
  );
}

async function refusalOf(client: KubeClient, object: PlannedObject, { log }: Context): Promise<string | undefined> {
  const { apiVersion, kind, metadata } = object;
  const words = describeName(nameOf(object));
  try {
    // Admission comes before the check whether the object is there: it would count one that is there twice.
    if ((await client.find(pathFor(apiVersion, kind, metadata.namespace, metadata.name))) !== undefined)
      return undefined;
    await client.create(pathFor(apiVersion, kind, metadata.namespace), object, { dryRun: true, safe: true });
    return undefined;
  } catch (error) {
    if (isKubeError(error, "KUBE_DENIED", "KUBE_INVALID")) return `${words}: ${error.message}`;
    if (!(error instanceof KubeError) || error.code === "KUBE_CANCELLED") throw error;
    // No right, no namespace, no way to the server; or a webhook that supports no dry run.
    log.debug(`${words} was not tried. ${error.message}`);
    return undefined;
  }
}

/** The object's name. */
export function nameOf({ apiVersion, kind, metadata: { namespace, name } }: PlannedObject): ReservedName {
  return { apiVersion, kind, namespace, name };
}
