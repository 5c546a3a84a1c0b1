import type { Finding } from "../../kubernetes/finding.ts";
import { isKubeError, type KubeClient, pathFor } from "../../kubernetes/index.ts";
import type { Outputs } from "../stack.ts";

/** Compares the ready pods of the stack's verifier with those that its Deployment asks for. No finding without a verifier. */
export async function checkVerifierPods({ verifier }: Outputs, client: KubeClient): Promise<Finding[]> {
  const { namespace, url } = (verifier ?? {}) as { readonly namespace?: string; readonly url?: string };
  if (!namespace || !url) return [];
  // http://NAME.NAMESPACE.svc:8080
  const [name = ""] = new URL(url).hostname.split(".");
  const claim = "the verifier's pods are ready";
  type Deployment = {
    readonly spec?: { readonly replicas?: number };
    readonly status?: { readonly readyReplicas?: number };
  };
  try {
    const found = await client.find<Deployment>(pathFor("apps/v1", "Deployment", namespace, name));
    if (found === undefined) return [{ claim, holds: false, seen: `there is no Deployment ${namespace}/${name}` }];
    const { replicas = 1 } = found.spec ?? {};
    const { readyReplicas = 0 } = found.status ?? {};
    return [{ claim, holds: readyReplicas >= replicas, seen: `${readyReplicas} of ${replicas}` }];
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return [{ claim, holds: null, seen: `not checked: \`get\` is forbidden for Deployment ${namespace}/${name}` }];
  }
}
