/** A test file starts on a cluster without the cluster-wide objects that a killed run in another file left. */
import { beforeAll } from "vitest";
import { pathFor } from "../../kubernetes/index.ts";
import { adminOf, deleteAll } from "../support/inventory.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const ours = { labelSelector: "app.kubernetes.io/managed-by=k8sauth" };

beforeAll(async () => {
  const admin = await adminOf(workerKubeconfig());
  try {
    await deleteAll(admin, pathFor(rbac, "ClusterRoleBinding"), ours);
    await deleteAll(admin, pathFor(rbac, "ClusterRole"), ours);
    await deleteAll(admin, pathFor("v1", "Namespace"), ours);
    await deleteAll(admin, pathFor("certificates.k8s.io/v1", "CertificateSigningRequest"));
  } finally {
    admin.close();
  }
});
