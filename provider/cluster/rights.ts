import { anonymousError, anonymousUser } from "../../kubernetes/anonymous.ts";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/** A right that the deployer needs, in the terms of a SelfSubjectAccessReview. */
export interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** @default the whole cluster */
  readonly namespace?: string;
  readonly name?: string;
  /** Path of the API server, instead of a resource. */
  readonly nonResourcePath?: string;
}

/**
 * Checks that the deployer has all of the rights.
 *
 * @throws ProviderError CLUSTER_RIGHTS_MISSING with every right that is missing
 * @throws KubeError KUBE_ANONYMOUS if the API server attributes the requests to `system:anonymous`
 */
export async function requireRights(client: KubeClient, rights: readonly Right[]): Promise<void> {
  const distinct = [...new Map(rights.map((right) => [describeRight(right), right])).values()];
  const answers = await Promise.all(distinct.map((right) => isAllowed(client, right)));
  const missing = distinct.filter((_, index) => !answers[index]);
  if (missing.length === 0) return;
  const { connection } = client;
  const username = await usernameOf(client);
  if (username === anonymousUser) {
    const request = "its access reviews";
    throw anonymousError(request, connection, await connection.credentials.get());
  }
  const known = username && username !== connection.user ? `, whom the API server calls "${username}",` : "";
  throw new ProviderError(
    "CLUSTER_RIGHTS_MISSING",
    `User "${connection.user}"${known} lacks ${missing.length === 1 ? "a right" : `${missing.length} rights`} in the cluster at ${connection.server}: ${missing.map(describeRight).join("; ")}.`,
    "Grant them to that user, or deploy as a user who has them.",
  );
}

/** The deployer's user name at the API server, to which rights are granted; undefined if the server does not say it. */
async function usernameOf(client: KubeClient): Promise<string | undefined> {
  try {
    return (await reviewSelf(client))?.username;
  } catch (error) {
    if (isKubeError(error, "KUBE_ANONYMOUS") || !(error instanceof KubeError)) throw error;
    return undefined;
  }
}

async function isAllowed(client: KubeClient, right: Right): Promise<boolean> {
  const { verb, nonResourcePath, ...resource } = right;
  const spec =
    nonResourcePath === undefined
      ? { resourceAttributes: { verb, ...resource } }
      : { nonResourceAttributes: { verb, path: nonResourcePath } };
  const review = await client.create<{ status?: { allowed?: boolean } }>(
    pathFor("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec },
    { safe: true },
  );
  return review.status?.allowed === true;
}

/** Describes a right: "create tokenreviews.authentication.k8s.io in the whole cluster". */
export function describeRight(right: Right): string {
  if (right.nonResourcePath !== undefined) return `${right.verb} ${right.nonResourcePath}`;
  const resource = `${right.resource ?? "*"}${right.subresource ? `/${right.subresource}` : ""}${right.group ? `.${right.group}` : ""}`;
  const name = right.name ? ` "${right.name}"` : "";
  return `${right.verb} ${resource}${name} in ${right.namespace ? `namespace ${right.namespace}` : "the whole cluster"}`;
}
