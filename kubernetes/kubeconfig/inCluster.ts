/** The ServiceAccount of the pod that this process runs in. @see https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
import { existsSync } from "node:fs";
import { isIPv6 } from "node:net";
import { join } from "node:path";

/** The name of the context that selects the pod's ServiceAccount. */
export const inClusterContext = "in-cluster";

/** Folder with token, CA and namespace of the pod's ServiceAccount. */
export const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The API server's address and the ServiceAccount's files; undefined outside a pod. */
export function podAccount(env: NodeJS.ProcessEnv, folder: string = accountFolder) {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  const tokenPath = join(folder, "token");
  if (!host || !existsSync(tokenPath)) return undefined;
  return {
    server: `https://${isIPv6(host) ? `[${host}]` : host}:${port || "443"}`,
    tokenPath,
    caPath: join(folder, "ca.crt"),
    namespacePath: join(folder, "namespace"),
  };
}

/** A kubeconfig of the pod's ServiceAccount, as JSON, for other clients. It contains paths and no credential. Undefined outside a pod. */
export function podKubeconfig(env: NodeJS.ProcessEnv, folder?: string): string | undefined {
  const account = podAccount(env, folder);
  if (account === undefined) return undefined;
  const name = inClusterContext;
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: account.server, "certificate-authority": account.caPath } }],
    users: [{ name, user: { tokenFile: account.tokenPath } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  });
}
