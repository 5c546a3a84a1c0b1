import { setTimeout as sleep } from "node:timers/promises";
import { type KubeClient, pathFor } from "../../kubernetes/index.ts";
import type { Sandbox } from "../../sandbox/index.ts";
import { Pods } from "./pods.ts";
import { Processes } from "./processes.ts";
import { accounts, deleteLodging, type FromOutputs, lodging, object, type Workloads } from "./scene.ts";

/** Makes namespace and accounts, and on a node the pods. */
export async function makeWorkloads(
  outputs: FromOutputs,
  deployer: KubeClient,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<Workloads> {
  await removeLodging(deployer, signal);
  const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
  await deployer.create(pathFor("v1", "Namespace"), object("v1", "Namespace", { name: lodging, labels }));
  for (const name of Object.values(accounts)) {
    await deployer.create(pathFor("v1", "ServiceAccount", lodging), object("v1", "ServiceAccount", { name }));
  }
  const { verifier } = outputs;
  if (sandbox.node && verifier) return Pods.make({ ...outputs, verifier }, deployer, sandbox, signal);
  return Processes.make(outputs, deployer);
}

/** Deletes the namespace and waits until it is gone: an earlier demonstration may have left it, or be about to. */
async function removeLodging(deployer: KubeClient, signal: AbortSignal): Promise<void> {
  const path = await deleteLodging(deployer);
  const deadline = performance.now() + 60_000;
  while (await deployer.find(path)) {
    if (performance.now() > deadline) throw new Error(`The namespace ${lodging} was not gone 60 s after its deletion.`);
    await sleep(100, undefined, { signal });
  }
}
