import { readFile } from "node:fs/promises";
import { KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { deleteAll } from "../inventory.ts";
import { workerKubeconfig } from "../sandbox.ts";

interface StateFile {
  readonly checkpoint?: {
    readonly latest?: {
      readonly resources?: readonly {
        readonly type: string;
        readonly id?: string;
        readonly inputs?: { readonly apiVersion?: string; readonly kind?: string };
      }[];
    };
  };
}

const requests = pathFor("certificates.k8s.io/v1", "CertificateSigningRequest");

/**
 * Deletes the Kubernetes objects of a stack's state, and does not wait until they are gone. Also deletes all certificate requests of the
 * program: those of a killed run are in no state.
 */
export async function deleteObjects(stack: { readonly stateFile: string; readonly env: NodeJS.ProcessEnv }) {
  const text = await readFile(stack.stateFile, "utf8").catch(() => undefined);
  if (text === undefined) return; // There was no operation.
  const resources = (JSON.parse(text) as StateFile).checkpoint?.latest?.resources ?? [];
  const admin = new KubeClient(await loadConnection({ kubeconfig: workerKubeconfig() }, {}));
  for (const { type, id = "", inputs } of resources.toReversed()) {
    if (!type.startsWith("kubernetes:") || !inputs?.apiVersion || !inputs.kind) continue;
    const [name = "", namespace] = id.split("/").toReversed();
    await admin.delete(pathFor(inputs.apiVersion, inputs.kind, namespace, name), { ignoreNotFound: true });
  }
  await deleteAll(admin, requests, { labelSelector: "app.kubernetes.io/managed-by=k8sauth" });
  admin.close();
}
