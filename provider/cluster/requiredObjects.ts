import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { ProviderError } from "../protocol/errors.ts";
import { describeName, type ReservedName } from "./reservedNames.ts";

interface ObjectWithPhase extends KubeObject {
  readonly status?: { readonly phase?: string };
}

/**
 * Fails before anything is created if an object that the stack needs and does not create is missing.
 *
 * @throws ProviderError CLUSTER_OBJECT_MISSING with every object that is missing
 */
export async function requireObjects(client: KubeClient, wanted: readonly ReservedName[]): Promise<void> {
  const found = await Promise.all(wanted.map((object) => problemOf(client, object)));
  const problems = found.filter((text) => text !== undefined);
  if (problems.length === 0) return;
  throw new ProviderError(
    "CLUSTER_OBJECT_MISSING",
    `The cluster at ${client.connection.server} lacks objects that this stack needs and does not create: ${problems.join("; ")}.`,
    "Create them first, or correct the names. The stack creates a namespace itself if the setting createNamespace is true.",
  );
}

/** Describes the problem of a required object. Undefined if it exists, or if the deployer may not read it. */
async function problemOf(client: KubeClient, wanted: ReservedName) {
  const { apiVersion, kind, namespace, name } = wanted;
  const words = describeName(wanted);
  try {
    const found = await client.find<ObjectWithPhase>(pathFor(apiVersion, kind, namespace, name));
    if (found === undefined) return words;
    return kind === "Namespace" && found.status?.phase === "Terminating" ? `${words} is being deleted` : undefined;
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return kind === "Namespace" ? namespaceProblem(client, name, words) : undefined;
  }
}

/**
 * Describes the problem of a namespace that the deployer may not read. A dry run that creates a ServiceAccount in it shows whether it exists.
 * A missing right is no problem here: `requireRights` reports it.
 */
async function namespaceProblem(client: KubeClient, name: string, words: string): Promise<string | undefined> {
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { generateName: "k8sauth-preflight-" } };
  try {
    await client.create(pathFor("v1", "ServiceAccount", name), account, { dryRun: true, safe: true });
    return undefined;
  } catch (error) {
    if (isKubeError(error, "KUBE_NOT_FOUND")) return words;
    if (isKubeError(error, "KUBE_DENIED") && error.serverMessage?.includes("being terminated")) {
      return `${words} is being deleted`;
    }
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return undefined;
  }
}
