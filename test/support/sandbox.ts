import { dirname } from "node:path";
import { inject } from "vitest";
import { sandboxHandle } from "../../sandbox/cluster/handle.ts";
import { readRecord } from "../../sandbox/cluster/state.ts";
import type { Sandbox } from "../../sandbox/index.ts";

/** The kubeconfig of the control plane that the tests of this worker share: each worker of a run has its own. */
export function workerKubeconfig(): string {
  const node = inject("nodeSandboxDir");
  const kubeconfigs = node ? [sharedSandbox(node).kubeconfig] : inject("kubeconfigs");
  // Vitest numbers the workers that run at the same time from 1 on.
  const kubeconfig = kubeconfigs[(Number(process.env.VITEST_POOL_ID) - 1) % kubeconfigs.length];
  if (kubeconfig === undefined) throw new Error("the run has no control plane");
  return kubeconfig;
}

/** The sandbox that the tests of this worker share. A test must not stop it. */
export function sharedSandbox(dir = dirname(workerKubeconfig())): Sandbox {
  const record = readRecord(dir);
  if (!record) throw new Error(`there is no sandbox in ${dir}`);
  return sandboxHandle(dir, record, () => Promise.reject(new Error("The sandbox is shared.")));
}
