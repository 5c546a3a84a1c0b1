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
 * Fails before anything is created if a quota, an admission webhook, a policy or validation would reject an object. A dry run creates each
 * object: the API server checks it like any other request and does not store it. Each dry run counts one object, so a quota with room for only
 * one of two is not detected. Objects that exist and namespaces that do not exist are skipped, since other checks report them.
 *
 * @throws ProviderError CLUSTER_OBJECT_REFUSED with every object that is rejected
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
    `The cluster at ${client.connection.server} rejected objects of this stack in a dry run. ${refusals.join(" ")}`,
  );
}

async function refusalOf(client: KubeClient, object: PlannedObject, { log }: Context): Promise<string | undefined> {
  const { apiVersion, kind, metadata } = object;
  const words = describeName(nameOf(object));
  try {
    // Admission runs before the check for an existing object, so a quota would count it twice.
    if ((await client.find(pathFor(apiVersion, kind, metadata.namespace, metadata.name))) !== undefined)
      return undefined;
    await client.create(pathFor(apiVersion, kind, metadata.namespace), object, { dryRun: true, safe: true });
    return undefined;
  } catch (error) {
    if (isKubeError(error, "KUBE_DENIED", "KUBE_INVALID")) return `${words}: ${error.message}`;
    if (!(error instanceof KubeError) || error.code === "KUBE_CANCELLED") throw error;
    // A missing right or namespace, no connection, or a webhook without support for dry runs.
    log.debug(`${words} was not tried. ${error.message}`);
    return undefined;
  }
}

/** The name of a planned object. */
export function nameOf({ apiVersion, kind, metadata: { namespace, name } }: PlannedObject): ReservedName {
  return { apiVersion, kind, namespace, name };
}
