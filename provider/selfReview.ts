import type { KubeClient } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { pathFor } from "../kube/paths.ts";

/**
 * The user that the API server takes a client for. Undefined from a server older than 1.28, which cannot say; that it
 * answers at all shows that it accepts the credential.
 *
 * @throws KubeError KUBE_UNAUTHORIZED for a credential that is not accepted, and others for the way to the server
 */
export async function whoAmI(client: KubeClient): Promise<string | undefined> {
  const apiVersion = "authentication.k8s.io/v1";
  const kind = "SelfSubjectReview";
  try {
    const answer = await client.create<{ status?: { userInfo?: { username?: string } } }>(
      pathFor(apiVersion, kind),
      { apiVersion, kind },
      { safe: true },
    );
    return answer.status?.userInfo?.username ?? "";
  } catch (error) {
    if (!isKubeError(error, "KUBE_NOT_FOUND")) throw error;
    await reviewAccess(client);
    return undefined;
  }
}

/** Whether it is allowed does not matter: whoever is not known gets no answer. */
async function reviewAccess(client: KubeClient): Promise<void> {
  const apiVersion = "authorization.k8s.io/v1";
  const kind = "SelfSubjectAccessReview";
  const spec = { nonResourceAttributes: { verb: "get", path: "/version" } };
  await client.create(pathFor(apiVersion, kind), { apiVersion, kind, spec }, { safe: true });
}
