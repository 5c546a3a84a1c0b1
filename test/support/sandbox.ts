import { dirname } from "node:path";
import { sandboxHandle } from "../../sandbox/handle.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import { readRecord } from "../../sandbox/state.ts";

/** The sandbox that all cluster tests share, by its kubeconfig. It is not a test's to stop. */
export function sharedSandbox(kubeconfig: string): Sandbox {
  const dir = dirname(kubeconfig);
  const record = readRecord(dir);
  if (!record) throw new Error(`there is no sandbox in ${dir}`);
  return sandboxHandle(dir, record, () => Promise.reject(new Error("The sandbox is shared.")));
}
