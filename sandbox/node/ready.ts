import { type ReadyOptions, waitForChecks } from "../cluster/ready.ts";
import { dnsReadyPort } from "./plan.ts";

/**
 * Waits until pods can run: CoreDNS knows the services, and the node is ready and schedulable.
 *
 * @throws SandboxError SANDBOX_COMPONENT_ENDED with the end of its log, SANDBOX_TIMEOUT, SANDBOX_ABORTED
 */
export async function nodeReady(options: ReadyOptions, nodeName: string): Promise<void> {
  const node = `${options.server}/api/v1/nodes`;
  await waitForChecks(options, [
    { what: `Node ${nodeName} (Ready and without taints)`, url: `${node}/${nodeName}`, accept: acceptsPods },
    { what: "CoreDNS (/ready)", url: `${node}/http:${nodeName}:${dnsReadyPort}/proxy/ready` },
  ]);
}

interface NodeObject {
  readonly spec: { readonly taints?: readonly object[] };
  readonly status: { readonly conditions?: readonly { type: string; status: string }[] };
}

function acceptsPods(body: string): boolean {
  const { spec, status } = JSON.parse(body) as NodeObject;
  const ready = status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True");
  return ready === true && !spec.taints?.length;
}
