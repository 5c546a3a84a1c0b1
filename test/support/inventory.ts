import { randomBytes } from "node:crypto";
import { KubeClient, loadConnection, pathFor } from "../../kubernetes/index.ts";

/** A client with all rights in the cluster of a kubeconfig. */
export async function adminOf(kubeconfig: string): Promise<KubeClient> {
  return new KubeClient(await loadConnection({ kubeconfig }, {}));
}

const rbac = "rbac.authorization.k8s.io/v1";
const kinds = [
  ["v1", "Namespace"],
  ["v1", "ServiceAccount"],
  ["v1", "Secret"],
  [rbac, "ClusterRole"],
  [rbac, "ClusterRoleBinding"],
  [rbac, "Role"],
  [rbac, "RoleBinding"],
] as const;

interface List {
  readonly items?: readonly {
    readonly metadata: { readonly name: string; readonly namespace?: string; readonly deletionTimestamp?: string };
  }[];
}

/** Deletes the objects of a list that match a query. Does not wait until they are gone. */
export async function deleteAll(admin: KubeClient, path: string, query: Record<string, string> = {}): Promise<void> {
  const { items = [] } = await admin.get<List>(path, { query });
  for (const { metadata } of items) await admin.delete(`${path}/${metadata.name}`, { ignoreNotFound: true });
}

/**
 * Every object of the kinds that a stack creates, as `Kind NAMESPACE/NAME`, without those of Kubernetes itself and those in a namespace that is
 * being deleted. The difference of two inventories shows the objects that were created and deleted, under any name.
 */
export async function inventory(admin: KubeClient): Promise<string[]> {
  const lists = await Promise.all(
    kinds.map(async ([apiVersion, kind]) => {
      const { items = [] } = await admin.get<List>(pathFor(apiVersion, kind));
      return items.map(({ metadata }) => ({ kind, namespace: "", ...metadata }));
    }),
  );
  const objects = lists.flat();
  // Tests do not wait until the namespaces that they delete are gone.
  const terminating = new Set(
    objects.flatMap(({ kind, name, deletionTimestamp }) => (kind === "Namespace" && deletionTimestamp ? [name] : [])),
  );
  return objects
    .filter(({ kind, namespace, name }) => {
      if (terminating.has(kind === "Namespace" ? name : namespace)) return false;
      if (namespace.startsWith("kube-") || /^(kube-|system:)/.test(name)) return false;
      return !(kind === "ServiceAccount" && name === "default");
    })
    .map(({ kind, namespace, name }) => `${kind} ${namespace && `${namespace}/`}${name}`)
    .sort();
}

/** Objects of the second inventory that are not in the first, with generated parts of names as `#`. */
export function added(before: readonly string[], after: readonly string[]): string[] {
  return after
    .filter((object) => !before.includes(object))
    .map(shown)
    .sort();
}

function shown(name: string): string {
  return name.replaceAll(/-[0-9a-f]{8}(?=$|\/)/g, "-#");
}

/** The objects of a stack with default names, as `added` returns them. */
export const tokenFlowObjects = [
  "ClusterRole gateway-token-reviewer-#",
  "ClusterRoleBinding gateway-token-reviewer-#",
  "Namespace gateway-token-reviewer-#",
  "Secret gateway-token-reviewer-#/gateway-token-reviewer-token",
  "ServiceAccount gateway-token-reviewer-#/gateway-token-reviewer",
];

const lodgingPrefix = "k8sauth-test-lodging-";

export interface Lodging extends AsyncDisposable {
  /** Settings of a stack that uses the namespace. */
  readonly settings: { readonly namespace: string; readonly createNamespace: false };
  /** The namespace as `added` returns it. */
  readonly shown: string;
}

/** Creates a namespace for stacks that create none. Stacks with a namespace wait 5 s for its deletion, and these do not. */
export async function lodging(admin: KubeClient): Promise<Lodging> {
  const namespace = lodgingPrefix + randomBytes(4).toString("hex");
  await admin.create(pathFor("v1", "Namespace"), {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: namespace },
  });
  return {
    settings: { namespace, createNamespace: false },
    shown: shown(namespace),
    async [Symbol.asyncDispose]() {
      await admin.delete(pathFor("v1", "Namespace", undefined, namespace), { ignoreNotFound: true });
    },
  };
}
