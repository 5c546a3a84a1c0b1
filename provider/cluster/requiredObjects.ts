import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { ProviderError } from "../protocol/errors.ts";
import { describeName, type ReservedName } from "./reservedNames.ts";

interface ObjectWithPhase extends KubeObject {
  readonly status?: { readonly phase?: string };
}

/**
 * Refuses to begin where something that others are to make is not there: it would be noticed in the middle.
 *
 * @throws ProviderError CLUSTER_OBJECT_MISSING with all that are missing
 */
export async function requireObjects(client: KubeClient, wanted: readonly ReservedName[]): Promise<void> {
  const found = await Promise.all(wanted.map((object) => problemOf(client, object)));
  const problems = found.filter((text) => text !== undefined);
  if (problems.length === 0) return;
  throw new ProviderError(
    "CLUSTER_OBJECT_MISSING",
    `The cluster at ${client.connection.server} lacks what this stack needs and does not make: ${problems.join("; ")}.`,
    "Make it first, or correct the name; a namespace is made by the stack itself if its setting createNamespace is true.",
  );
}

/** What is wrong with an object that should be there; undefined where nothing is known to be. */
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
 * The same of a namespace that may not be read: an account that is made there, but for the storing. Where that is refused for
 * another reason, the right is missing, and named by who looks for rights.
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
