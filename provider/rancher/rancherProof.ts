import { createHash } from "node:crypto";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewToken } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/** Facts of an API key, without the key. */
export interface KeyFacts {
  readonly keyName: string;
  /** Hexadecimal. */
  readonly keySha256: string;
  /** RFC 3339; "" if it is unknown. */
  readonly notAfter: string;
}

/** Not a valid token. A review of it shows whether the key may create TokenReviews. */
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
    `${server} points to the cluster ${uid}, and the kubeconfig to the cluster ${clusterUid}.`,
    "Set the cluster id to that of the stack's cluster in Rancher, or use a separate stack for the other cluster.",
  );
}

/** The UID of the cluster. Undefined if the key may create TokenReviews but not read namespaces; the UID is not compared then. */
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
      `Check that it has not expired (by default it does after some 90 days), and that it has no scope or the scope of the cluster ${clusterId}.`,
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
      `${server} answers 404: it is not a Rancher server, or it has no cluster ${clusterId}.`,
      "The cluster's id is in the address of its page in Rancher (c-…, c-m-…, local).",
    );
  }
  return error;
}

/**
 * Reads the key's name, hash and expiry. A key with the scope of one cluster may not read its own facts, so its expiry is unknown.
 *
 * @param rancher a client of Rancher's own API with the key; undefined to skip the request
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
    const expiry = typeof expiresAt === "string" ? Date.parse(expiresAt) : Number.NaN;
    return Number.isNaN(expiry) ? "" : new Date(expiry).toISOString().replace(/\.\d+Z$/, "Z");
  } catch (error) {
    if (error instanceof KubeError) return "";
    throw error;
  }
}
