/** A test file starts on a cluster without the cluster-wide objects that a killed run in another file left. */
import { beforeAll } from "vitest";
import { type KubeClient, pathFor } from "../../kubernetes/index.ts";
import { adminOf } from "../support/inventory.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const ours = { labelSelector: "app.kubernetes.io/managed-by=k8sauth" };

interface List {
  readonly items?: readonly { readonly metadata: { readonly name: string } }[];
}

async function sweep(admin: KubeClient, path: string, query: Record<string, string>): Promise<void> {
  const { items = [] } = await admin.get<List>(path, { query });
  for (const { metadata } of items) await admin.delete(`${path}/${metadata.name}`, { ignoreNotFound: true });
}

beforeAll(async () => {
  const admin = await adminOf(workerKubeconfig());
  try {
    await sweep(admin, pathFor(rbac, "ClusterRoleBinding"), ours);
    await sweep(admin, pathFor(rbac, "ClusterRole"), ours);
    await sweep(admin, pathFor("v1", "Namespace"), ours);
    await sweep(admin, "/apis/certificates.k8s.io/v1/certificatesigningrequests", {});
  } finally {
    admin.close();
  }
});
