import type { Agent } from "node:https";
import { KubeClient } from "../kube/client.ts";
import { loadConnection } from "../kube/config.ts";
import { agentFor } from "../kube/transport.ts";
import type { Field } from "./fields.ts";
import type { Context } from "./resource.ts";

/** How a resource reaches the cluster as the deployer. */
export interface Deployer {
  /** A path or the content; undefined for the usual places. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The same two inputs on every resource that asks the API server. */
export const deployerFields = {
  kubeconfig: {
    type: "string",
    secret: true,
    description:
      "Kubeconfig of the deployer, a path or the content; by default KUBECONFIG, ~/.kube/config, or the pod's own account.",
  },
  context: { type: "string", description: "Context of that kubeconfig; by default the current one." },
} as const satisfies Record<string, Field>;

let shared: Agent | undefined;

/**
 * Opens a client as the deployer; requests end with the context's signal. Close it. Connections stay open for the next
 * resource: Node.js keeps those of different servers, CAs and certificates apart.
 */
export async function deployerClient(deployer: Deployer, context: Context, timeoutMs?: number): Promise<KubeClient> {
  const connection = await loadConnection(deployer, context.env);
  // Proxies come from the environment, which is the same for all; one of a kubeconfig's own is not shared.
  shared ??= agentFor({ ...connection, proxyAgent: undefined });
  return new KubeClient(connection, { agent: shared, signal: context.signal, timeoutMs });
}

/** How long a look at the cluster may take that is not needed to go on: in `diff`, `read` and previews. */
export const glanceMs = 2_000;
