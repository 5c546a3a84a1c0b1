/** A plugin with an engine, for each file of tests that imports this. */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { testCa } from "../../support/server.ts";

export const cluster = "k8sauth:index:Cluster";
export const reviewer = "k8sauth:index:ReviewerToken";
/** In each kubeconfig. */
export const token = "the-deployers-own-token";

/** Its lines are those of the running test. */
export let engine: FakeEngine;
export let plugin: Plugin;

beforeAll(async () => {
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
afterAll(async () => {
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
});
beforeEach(() => {
  engine.lines.length = 0;
});

export function kubeconfig(server: string): string {
  return JSON.stringify({
    "current-context": "dev",
    clusters: [
      { name: "c", cluster: { server, "certificate-authority-data": Buffer.from(testCa.certPem).toString("base64") } },
    ],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "dev", context: { cluster: "c", user: "u" } }],
  });
}

export const reviewerInputs = {
  host: "https://k8s.example.com",
  caPem: testCa.certPem,
  namespace: "auth",
  serviceAccountName: "gateway-token-reviewer",
  serviceAccountUid: "u1",
  secretName: "gateway-token-reviewer-token",
  secretUid: "u2",
};
