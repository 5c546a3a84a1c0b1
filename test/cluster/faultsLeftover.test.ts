import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { KubeClient } from "../../kube/index.ts";
import { added, adminOf, inventory, tokenFlowObjects } from "../support/inventory.ts";
import { TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
const namespaces = "/api/v1/namespaces";
let admin: KubeClient;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
afterAll(() => admin?.close());

interface Resource {
  readonly type: string;
  readonly inputs: { readonly metadata: object };
  readonly [field: string]: unknown;
}

/**
 * A stack as the Pulumi CLI leaves it when it was killed while it made the namespace and then ran once more: the namespace
 * of the first run is in the cluster, its creation among the pending operations, and all is in use that the second made.
 */
async function madeTwice(name: string) {
  const left = `gateway-token-reviewer-${Math.random().toString(16).slice(2, 10).padEnd(8, "0")}`;
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  const metadata = { name: left, labels, annotations: { "pulumi.com/autonamed": "true" } };
  await admin.create(
    namespaces,
    { apiVersion: "v1", kind: "Namespace", metadata },
    { fieldManager: "pulumi-kubernetes" },
  );
  // Kubernetes tells the age of objects in seconds.
  await sleep(1_100);
  const stack = await TestStack.make(name, { kubeconfig, allowLoopbackHost: true });
  await stack.up();
  const state = JSON.parse(await readFile(stack.stateFile, "utf8"));
  const { latest } = state.checkpoint;
  const {
    id: _id,
    outputs: _outputs,
    ...made
  } = latest.resources.find(({ type }: Resource) => type === "kubernetes:core/v1:Namespace") as Resource;
  const inputs = { ...made.inputs, metadata: { ...made.inputs.metadata, ...metadata } };
  latest.pending_operations = [{ type: "creating", resource: { ...made, inputs } }];
  await writeFile(stack.stateFile, JSON.stringify(state));
  return { stack, left };
}

test("what the CLI made again after it was killed stays in use, and what the killed run left goes", async () => {
  const before = await inventory(admin);
  const { stack, left } = await madeTwice("twice");
  await using _ = stack;
  const outputs = await stack.outputs();
  await stack.up();
  expect(await stack.outputs()).toEqual(outputs);
  expect(await admin.find(`${namespaces}/${left}`)).toBeUndefined();
  expect(added(before, await inventory(admin))).toEqual(tokenFlowObjects);
  expect(await readFile(stack.stateFile, "utf8")).not.toContain("pending_operations");
});

test("a destruction takes both away", async () => {
  const before = await inventory(admin);
  const { stack } = await madeTwice("twice-gone");
  await using _ = stack;
  await stack.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
});
