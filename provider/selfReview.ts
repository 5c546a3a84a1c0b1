import type { KubeClient } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { pathFor } from "../kube/paths.ts";

/** Whom the API server takes a client for, and its clock. No name from a server older than 1.28, which cannot say. @throws KubeError */
export async function askWhoIAm(client: KubeClient): Promise<{ readonly username?: string; readonly date?: Date }> {
  const apiVersion = "authentication.k8s.io/v1";
  const kind = "SelfSubjectReview";
  try {
    const body = { apiVersion, kind };
    const answer = await client.exchange<{ status?: { userInfo?: { username?: string } } }>(
      "POST",
      pathFor(apiVersion, kind),
      { body, safe: true },
    );
    return { username: answer.body.status?.userInfo?.username ?? "", date: answer.date };
  } catch (error) {
    if (!isKubeError(error, "KUBE_NOT_FOUND")) throw error;
    return {};
  }
}

/**
 * The user that the API server takes a client for. Undefined from a server that cannot say; that it answers at all shows that it
 * accepts the credential.
 *
 * @throws KubeError KUBE_UNAUTHORIZED for a credential that is not accepted, and others for the way to the server
 */
export async function whoAmI(client: KubeClient): Promise<string | undefined> {
  const { username } = await askWhoIAm(client);
  if (username === undefined) await reviewAccess(client);
  return username;
}

/** Whether it is allowed does not matter: whoever is not known gets no answer. */
export async function reviewAccess(client: KubeClient): Promise<void> {
  const apiVersion = "authorization.k8s.io/v1";
  const kind = "SelfSubjectAccessReview";
  const spec = { nonResourceAttributes: { verb: "get", path: "/version" } };
  await client.create(pathFor(apiVersion, kind), { apiVersion, kind, spec }, { safe: true });
}
