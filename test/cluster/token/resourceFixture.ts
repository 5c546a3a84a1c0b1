/** A control plane and the plugin, for each file of tests that imports this. No token may be seen in messages. */
import { afterAll, beforeAll, beforeEach, expect } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { isSecret, type Properties, revealed, secretOf } from "../../support/plugin/properties.ts";
import { adminClient, type Reviewer, reviewerType } from "../providerFixture.ts";

export let sandbox: Sandbox;
export let admin: KubeClient;
export let engine: FakeEngine;
export let plugin: Plugin;
export const tokens = new Set<string>();

beforeAll(async () => {
  // The setup of the products' documents: no discovery, and an audience besides the issuer.
  sandbox = await startSandbox({
    ephemeral: true,
    issuer: "api",
    apiAudiences: ["api", "known"],
  });
  admin = await adminClient(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
});
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  admin?.close();
  await sandbox?.stop();
  expect(tokens.size).toBeGreaterThan(0);
  for (const token of tokens) expect(seen).not.toContain(token);
  expect(seen).not.toContain("eyJ");
});

export function inputsOf(reviewer: Reviewer, more: object = {}): Properties {
  return { kubeconfig: secretOf(sandbox.kubeconfig), ...reviewer.inputs, ...more };
}

export async function made(reviewer: Reviewer, more: object = {}) {
  const created = await plugin.create(reviewerType, inputsOf(reviewer, more));
  expect(isSecret(created.outputs.token)).toBe(true);
  const outputs = revealed(created.outputs);
  tokens.add(String(outputs.token));
  return { id: created.id, wire: created.outputs, outputs };
}

export async function warnings(): Promise<string> {
  return engine.lines
    .filter((line) => line.severity === "warning")
    .map((line) => line.message)
    .join("\n");
}

/** The API server keeps a successful review for 10 s, so a dead token is noticed after that. */
export const soon = { timeout: 20_000, interval: 250 };
