import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Value } from "../../engine/index.ts";
import { KubeClient, loadConnection, pathFor } from "../../kube/index.ts";
import { canRunNode, nodeImage, type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { TestStack } from "../support/stack.ts";
import { Cli } from "./cli.ts";
import { type BothEngines, bothWays, engines } from "./fixture.ts";

const support = canRunNode();
let sandbox: Sandbox;
let client: KubeClient;

// A Deployment becomes ready on a node alone.
beforeAll(async () => {
  if (!support.ok) return;
  sandbox = await startSandbox({ ephemeral: true, node: true });
  client = new KubeClient(await loadConnection({ kubeconfig: sandbox.kubeconfig }, process.env));
}, 300_000);
afterAll(async () => {
  client?.close();
  await sandbox?.stop();
});

async function verifierStack(name: string): Promise<BothEngines> {
  const stack = await TestStack.make(name, {
    kubeconfig: sandbox.kubeconfig,
    allowLoopbackHost: true,
    tokenFlow: false,
    verifier: true,
    verifierAudiences: ["orders"],
    verifierImage: nodeImage,
    verifierReplicas: 1,
  });
  return { stack, cli: new Cli(stack), [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
}

const changes: readonly (readonly [string, Record<string, Value>])[] = [
  ["more replicas", { verifierReplicas: 2 }],
  ["another list of callers, which is another ConfigMap", { verifierAllow: ["shop/*"] }],
  ["a mode with fewer rights", { verifierMode: "oidc-discovery" }],
];

describe.skipIf(!support.ok).each(bothWays)("a verifier that the engine %s deployed", (first, second) => {
  test(`is kept, changed and taken away by ${second}`, { timeout: 900_000 }, async () => {
    await using both = await verifierStack("verifier");
    await both.cli.init();
    expect(await engines[first].preview(both)).toEqual(await engines[second].preview(both));
    await engines[first].up(both);
    expect(await engines[second].preview(both)).toEqual([]);
    expect(await engines[second].refresh(both)).toEqual([]);
    expect(await engines[second].up(both)).toEqual([]);
    expect(await both.cli.outputs()).toEqual(await both.stack.outputs());
    let [now, next] = [second, first];
    for (const [what, change] of changes) {
      await both.stack.configure(change);
      const planned = await engines[next].preview(both);
      expect(await engines[now].preview(both), what).toEqual(planned);
      expect(await engines[now].up(both), what).toEqual(planned);
      expect(await engines[next].preview(both), `after ${what}`).toEqual([]);
      expect(await engines[next].refresh(both), `after ${what}`).toEqual([]);
      [now, next] = [next, now];
    }
    const { namespace } = (await both.stack.outputs()).verifier as { namespace: string };
    await engines[second].destroy(both);
    expect(await client.find(pathFor("v1", "Namespace", undefined, namespace))).toBeUndefined();
  });
});
