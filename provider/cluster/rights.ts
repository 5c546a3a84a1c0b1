import { anonymousError, anonymousUser } from "../../kubernetes/anonymous.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { describeRight, missingRights, type Right } from "../../kubernetes/cluster/rights.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/**
 * Checks that the deployer has all of the rights.
 *
 * @throws ProviderError CLUSTER_RIGHTS_MISSING with every right that is missing
 * @throws KubeError KUBE_ANONYMOUS if the API server attributes the requests to `system:anonymous`
 */
export async function requireRights(client: KubeClient, rights: readonly Right[]): Promise<void> {
  const missing = await missingRights(client, rights);
  if (missing.length === 0) return;
  const { connection } = client;
  const username = await usernameOf(client);
  if (username === anonymousUser) {
    const request = "the access reviews";
    throw anonymousError(request, connection, await connection.credentials.get());
  }
  const known = username && username !== connection.user ? ` (known to the API server as "${username}")` : "";
  const what = missing.length === 1 ? "a right" : `${missing.length} rights`;
  throw new ProviderError(
    "CLUSTER_RIGHTS_MISSING",
    `User "${connection.user}"${known} lacks ${what} in the cluster at ${connection.server}:\n${missing.map((right) => `  ${describeRight(right)}\n`).join("")}`,
    "Grant them to that user, or deploy as a user who has them. The files in examples/deployer-rights grant them, flow by flow; with namespace and createNamespace: false fewer are needed.",
  );
}

/** The deployer's user name at the API server, to which rights are granted; undefined if the server does not state it. */
async function usernameOf(client: KubeClient): Promise<string | undefined> {
  try {
    return (await reviewSelf(client))?.username;
  } catch (error) {
    if (isKubeError(error, "KUBE_ANONYMOUS") || !(error instanceof KubeError)) throw error;
    return undefined;
  }
}
