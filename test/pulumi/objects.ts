import { expect } from "vitest";
import { KubeClient, type KubeObject, loadConnection } from "../../kube/index.ts";

/** The kinds that the program makes, with the lists that hold them. */
const lists = {
  Namespace: "/api/v1/namespaces",
  ServiceAccount: "/api/v1/serviceaccounts",
  Secret: "/api/v1/secrets",
  ConfigMap: "/api/v1/configmaps",
  ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  Role: "/apis/rbac.authorization.k8s.io/v1/roles",
  RoleBinding: "/apis/rbac.authorization.k8s.io/v1/rolebindings",
} as const;

export async function clusterClient(kubeconfig: string): Promise<KubeClient> {
  return new KubeClient(await loadConnection({ kubeconfig }, process.env));
}

/** What either engine made in the cluster, as sorted `Kind namespace/name`. */
export async function ourObjects(client: KubeClient): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(lists).map(async ([kind, path]) => {
      const { items } = await client.get<{ items: KubeObject[] }>(path);
      return items
        .filter(isOurs)
        .map(({ metadata }) => `${kind} ${[metadata?.namespace, metadata?.name].filter(Boolean).join("/")}`);
    }),
  );
  return found.flat().sort();
}

/** How many of each kind there are. */
export function counted(objects: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const object of objects) {
    const kind = object.split(" ")[0] as string;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

function isOurs({ metadata }: KubeObject): boolean {
  const entries = (metadata?.managedFields ?? []) as { manager?: string }[];
  return entries.some(({ manager }) => manager?.startsWith("pulumi-kubernetes"));
}

/** Takes away what a failed test left, so that the next one starts on an empty cluster. */
export async function sweep(client: KubeClient): Promise<void> {
  for (const path of [lists.ClusterRoleBinding, lists.ClusterRole, lists.Namespace]) {
    const { items } = await client.get<{ items: KubeObject[] }>(path);
    for (const { metadata } of items.filter(isOurs)) {
      await client.delete(`${path}/${metadata?.name}`, { ignoreNotFound: true });
    }
  }
  await expect.poll(() => ourObjects(client), { timeout: 30_000, interval: 200 }).toEqual([]);
}
