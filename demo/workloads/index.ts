/** Workloads that log in at gateways and call the verifier: pods on a node, else processes of this machine. */
import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, pathFor } from "../../kubernetes/index.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import { Pods } from "./pods.ts";
import { Processes } from "./processes.ts";
import { accounts, deleteNamespace, demoNamespace, object, type WorkloadOutputs, type Workloads } from "./scenario.ts";

/** Creates the namespace, the ServiceAccounts, and the pods or processes. */
export async function createWorkloads(
  outputs: WorkloadOutputs,
  deployer: KubeClient,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<Workloads> {
  await removeNamespace(deployer, signal);
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await deployer.create(pathFor("v1", "Namespace"), object("v1", "Namespace", { name: demoNamespace, labels }));
  for (const name of Object.values(accounts)) {
    await deployer.create(pathFor("v1", "ServiceAccount", demoNamespace), object("v1", "ServiceAccount", { name }));
  }
  const { verifier } = outputs;
  if (sandbox.node && verifier) return Pods.create({ ...outputs, verifier }, deployer, sandbox, signal);
  return Processes.create(outputs, deployer);
}

/** Deletes the namespace of an earlier demonstration, and waits until it no longer exists. */
async function removeNamespace(deployer: KubeClient, signal: AbortSignal): Promise<void> {
  const path = await deleteNamespace(deployer);
  const deadline = performance.now() + 60_000;
  while (await deployer.find(path)) {
    if (performance.now() > deadline) {
      throw new Error(`The namespace ${demoNamespace} still exists 60 s after its deletion.`);
    }
    await sleep(100, undefined, { signal });
  }
}
