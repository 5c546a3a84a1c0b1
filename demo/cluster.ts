/** The throw-away cluster of the demonstration, and the gateways beside it. */
import {
  type BuildOptions,
  canRunNode,
  nodeRemedy,
  type Sandbox,
  sandboxStatus,
  startSandbox,
} from "../sandbox/index.ts";
import type { NodeSupport } from "../sandbox/node/requirements.ts";
import { AkeylessTestGateway } from "./akeyless/index.ts";
import { VaultAuth } from "./gateways/vault/index.ts";
import { Gateways } from "./logins.ts";

export interface DemoCluster {
  readonly sandbox: Sandbox;
  /** It was started by this call: the objects of an earlier stack are gone. */
  readonly fresh: boolean;
  readonly gateways: Gateways;
}

/** Starts the sandbox, with a node if this machine can have one, and the gateways. A sandbox that runs is used as it is. */
export async function startDemoCluster(options: BuildOptions): Promise<DemoCluster> {
  const fresh = (await sandboxStatus("default", options.env)).condition !== "running";
  const sandbox = await startSandbox({ ...options, ...(fresh && { node: canRunNode().ok }) });
  const vault = await VaultAuth.start(options);
  return { sandbox, fresh, gateways: new Gateways(await AkeylessTestGateway.start(), vault) };
}

/**
 * Says whether pods run in the sandbox; if not, why and how to change that.
 *
 * @param support what this machine can do, for tests
 */
export function describeNode({ node }: Pick<Sandbox, "node">, support: NodeSupport = canRunNode()): string {
  if (node) return "A node on which pods run";
  const why = support.ok ? "the sandbox was started without one" : `missing here: ${support.missing.join(", ")}`;
  const remedy = support.ok
    ? "To have one: npx --no k8sauth sandbox stop, then npm start."
    : nodeRemedy(support.missing);
  return `No node (${why}): the verifier and its callers run as processes. ${remedy}`;
}
