import type { Agent } from "node:https";
import { KubeClient } from "../kube/client.ts";
import { loadConnection } from "../kube/config.ts";
import { isKubeError } from "../kube/errors.ts";
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

/** For so long a server that did not answer is not waited for again as long. */
const silenceMs = 10_000;
const silent = new Map<string, number>();

/** Like `glanceMs`, but short for a server that another resource has just found silent: they are asked in turn. */
export function glanceMsAt(server: string, now = Date.now()): number {
  return now - (silent.get(server) ?? Number.NEGATIVE_INFINITY) < silenceMs ? glanceMs / 10 : glanceMs;
}

/** Remembers, for the next glances, that a server did not answer. */
export function noteSilence(server: string, error: unknown, now = Date.now()): void {
  if (isKubeError(error, "KUBE_TIMEOUT")) silent.set(server, now);
}
