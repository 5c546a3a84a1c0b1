import { createHash } from "node:crypto";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewToken } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/** What is known of an API key beside the key. */
export interface KeyFacts {
  readonly keyName: string;
  readonly keySha256: string;
  readonly notAfter: string;
}

/** No token of anybody's: what its review shows is that the key may ask for one. */
const placeholderToken = "k8sauth.asks.whether-it-may-review";

/**
 * Proves that an API key leads through Rancher to the cluster and may create TokenReviews there.
 *
 * @param through a client of `/k8s/clusters/ID` with the key
 * @throws ProviderError RANCHER_KEY_REFUSED, RANCHER_MAY_NOT_REVIEW, RANCHER_CLUSTER_UNKNOWN, CLUSTER_OTHER; KubeError
 */
export async function proveKey(
  through: KubeClient,
  { clusterId, clusterUid }: { readonly clusterId: string; readonly clusterUid?: string },
): Promise<void> {
  const { server } = through.connection;
  try {
    await reviewToken(through, placeholderToken);
  } catch (error) {
    throw reviewError(error, server, clusterId);
  }
  const uid = await clusterUidOf(through);
  if (!clusterUid || uid === undefined || uid === clusterUid) return;
  throw new ProviderError(
    "CLUSTER_OTHER",
    `${server} leads to the cluster ${uid}, and the kubeconfig to the cluster ${clusterUid}.`,
    "Set the cluster id to that of the stack's cluster in Rancher; another cluster needs a stack of its own.",
  );
}

/** Whoever may review need not be able to read namespaces: then the cluster behind is believed to be the right one. */
async function clusterUidOf(through: KubeClient): Promise<string | undefined> {
  try {
    return (await through.get(pathFor("v1", "Namespace", undefined, "kube-system"))).metadata?.uid;
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN", "KUBE_UNAUTHORIZED", "KUBE_NOT_FOUND")) return undefined;
    throw error;
  }
}

function reviewError(error: unknown, server: string, clusterId: string): unknown {
  if (isKubeError(error, "KUBE_UNAUTHORIZED")) {
    return new ProviderError(
      "RANCHER_KEY_REFUSED",
      `${server} does not accept the API key${error.serverMessage ? `: ${error.serverMessage.replace(/\.$/, "")}` : ""}.`,
      `Check that it has not expired (by default it does after some 90 days), and that its scope is none or the cluster ${clusterId}.`,
    );
  }
  if (isKubeError(error, "KUBE_FORBIDDEN")) {
    return new ProviderError(
      "RANCHER_MAY_NOT_REVIEW",
      `The API key's user lacks the right create tokenreviews.authentication.k8s.io in the cluster ${clusterId} of ${new URL(server).origin}.`,
      "Give that user a role in the cluster that has it.",
    );
  }
  if (isKubeError(error, "KUBE_NOT_FOUND")) {
    return new ProviderError(
      "RANCHER_CLUSTER_UNKNOWN",
      `${server} knows no such path: this is no Rancher server, or it has no cluster ${clusterId}.`,
      "Take the cluster's id from the address of its page in Rancher (c-…, c-m-…, local).",
    );
  }
  return error;
}

/**
 * The key's name, hash and end. A key that is made for one cluster alone may not read about itself, and its end is unknown then.
 *
 * @param rancher a client of Rancher's own API with the key; undefined where it is not to be asked
 * @see https://ranchermanager.docs.rancher.com/api/api-tokens
 */
export async function readKeyFacts(rancher: KubeClient | undefined, apiKey: string): Promise<KeyFacts> {
  const [keyName = ""] = apiKey.split(":");
  const keySha256 = createHash("sha256").update(apiKey).digest("hex");
  return { keyName, keySha256, notAfter: rancher ? await expiryOf(rancher, keyName) : "" };
}

async function expiryOf(rancher: KubeClient, keyName: string): Promise<string> {
  try {
    const { expiresAt } = await rancher.get<{ expiresAt?: unknown }>(`/v3/tokens/${keyName}`, { retry: false });
    const end = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
    return Number.isNaN(end) ? "" : new Date(end).toISOString().replace(/\.\d+Z$/, "Z");
  } catch (error) {
    if (error instanceof KubeError) return "";
    throw error;
  }
}
