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
} as const;

export async function clusterClient(kubeconfig: string): Promise<KubeClient> {
  return new KubeClient(await loadConnection({ kubeconfig }, process.env));
}

/** What Pulumi's field managers made in the cluster and is not on its way out, as sorted `Kind namespace/name`. */
export async function ourObjects(client: KubeClient): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(lists).map(async ([kind, path]) => {
      const { items } = await client.get<{ items: KubeObject[] }>(path);
      return items.filter(isOurs).map(({ metadata }) => `${kind} ${[metadata?.namespace, metadata?.name].filter(Boolean).join("/")}`);
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
  return !metadata?.deletionTimestamp && entries.some(({ manager }) => manager?.startsWith("pulumi-kubernetes"));
}

/** Takes away what a failed test left, so that the next one starts on an empty cluster. */
export async function sweep(client: KubeClient): Promise<void> {
  for (const [kind, path] of Object.entries(lists)) {
    if (kind !== "Namespace" && !kind.startsWith("Cluster")) continue;
    const { items } = await client.get<{ items: KubeObject[] }>(path);
    for (const { metadata } of items.filter(isOurs)) await client.delete(`${path}/${metadata?.name}`);
  }
}
