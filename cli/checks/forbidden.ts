import type { Finding } from "../../kubernetes/finding.ts";
import { isKubeError, type KubeClient } from "../../kubernetes/index.ts";

/** Proves that a credential cannot list Secrets, as a stolen credential of a reviewer must not. */
export async function readsNoSecrets(client: KubeClient, claim: string): Promise<Finding> {
  return forbidden(claim, () => client.get("/api/v1/secrets", { query: { limit: 1 } }));
}

/** Proves that the API server answers a call with 403 Forbidden. */
export async function forbidden(claim: string, call: () => Promise<unknown>): Promise<Finding> {
  try {
    await call();
    return { claim, holds: false, seen: "it was allowed" };
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN")) return { claim, holds: true, seen: "forbidden" };
    return { claim, holds: false, seen: (error as Error).message };
  }
}
