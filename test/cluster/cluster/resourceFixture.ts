/** A control plane and the plugin, for each file of tests that imports this. No private key may be seen in messages. */
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import { adminClient, adminKeyData } from "../providerFixture.ts";

export let sandbox: Sandbox;
export let admin: KubeClient;
export let engine: FakeEngine;
export let plugin: Plugin;

beforeAll(async () => {
  sandbox = await startSandbox({ ephemeral: true });
  admin = await adminClient(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
});
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  const key = sandbox && adminKeyData(sandbox);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  admin?.close();
  await sandbox?.stop();
  expect(seen).not.toContain(key);
  expect(seen).not.toContain("PRIVATE KEY");
});

export function inputs(more: object = {}) {
  return { kubeconfig: secretOf(sandbox.kubeconfig), allowLoopback: true, proveHost: true, ...more };
}

export const crb = (name: string) => ({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name });

export async function disposable(starting: Promise<Sandbox>): Promise<AsyncDisposable & { sandbox: Sandbox }> {
  const started = await starting;
  return { sandbox: started, [Symbol.asyncDispose]: () => started.stop() };
}
