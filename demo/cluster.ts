/** The throw-away cluster and the gateways of the demonstration. */
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
  /** Whether this call started the sandbox. It then contains no objects of an earlier stack. */
  readonly fresh: boolean;
  readonly gateways: Gateways;
}

/** Starts the sandbox, with a node if this machine can run one, and the gateways. A running sandbox is reused as it is. */
export async function startDemoCluster(options: BuildOptions): Promise<DemoCluster> {
  const fresh = (await sandboxStatus("default", options.env)).condition !== "running";
  const sandbox = await startSandbox({ ...options, ...(fresh && { node: canRunNode().ok }) });
  const vault = await VaultAuth.start(options);
  return { sandbox, fresh, gateways: new Gateways(await AkeylessTestGateway.start(), vault) };
}

/**
 * Describes the node of the sandbox. If there is none, the text has the reason and the remedy.
 *
 * @param support requirements of a node that this machine meets. Tests set it
 */
export function describeNode({ node }: Pick<Sandbox, "node">, support: NodeSupport = canRunNode()): string {
  if (node) return "Pods run on its node";
  const why = support.ok ? "the sandbox was started without one" : `missing here: ${support.missing.join(", ")}`;
  const remedy = support.ok
    ? "To have one: npx --no k8sauth sandbox stop, then npm start."
    : nodeRemedy(support.missing);
  return `No node (${why}): the verifier and its callers run as processes. ${remedy}`;
}
