import { setTimeout as sleep } from "node:timers/promises";
import { isKubeError, type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";

/**
 * Reports pods as ready in place of a kubelet, so that Deployments become available on a control plane without a node. The cluster itself does
 * everything before that, such as admission by the pod security standards.
 */
export class ReadyPods implements AsyncDisposable {
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;

  /** @param labelSelector of the pods, in every namespace */
  constructor(client: KubeClient, labelSelector: string) {
    this.#running = this.#run(client, labelSelector);
  }

  async #run(client: KubeClient, labelSelector: string): Promise<void> {
    const list = pathFor("v1", "Pod");
    const query = { labelSelector, fieldSelector: "status.phase=Pending" };
    while (!this.#stopped.signal.aborted) {
      const { items = [] } = await client.get<{ items?: KubeObject[] }>(list, { query });
      for (const pod of items) await reportReady(client, pod);
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }
}

async function reportReady(client: KubeClient, { metadata }: KubeObject): Promise<void> {
  const path = `${pathFor("v1", "Pod", metadata?.namespace, metadata?.name)}/status`;
  const ready = { type: "Ready", status: "True", lastTransitionTime: new Date().toISOString() };
  const body = { apiVersion: "v1", kind: "Pod", status: { phase: "Running", conditions: [ready] } };
  await client.apply(path, body, { fieldManager: "no-kubelet", force: true }).catch((error: unknown) => {
    if (!isKubeError(error, "KUBE_NOT_FOUND")) throw error; // It was deleted meanwhile.
  });
}
