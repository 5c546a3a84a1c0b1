/** Stacks whose runs are killed, and a proxy that sees their requests, for each file of tests that imports this. */
import { afterAll, beforeAll, expect } from "vitest";
import { checkOrphans } from "../../../cli/checks/orphans.ts";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, tokenFlowObjects } from "../../support/inventory.ts";
import { type InterceptingProxy, interceptingProxy } from "../../support/proxies/interceptingProxy.ts";
import { deploymentOf, locks, objectsInState } from "../../support/pulumi/crash.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
export let admin: KubeClient;
export let proxy: InterceptingProxy;
/** A kubeconfig that leads through the proxy. */
let proxied: string;
/** Settings with which credentials are proved at the API server itself: the proxy ends TLS, and drops client certificates. */
export let provedDirectly: { readonly kubernetesHost: string; readonly kubernetesCa: string };
const stacks: TestStack[] = [];
let count = 0;

/** A bound for conditions that a slow machine reaches late, in milliseconds; the test's own limit comes first. */
export const patience = 300_000;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  proxy = await interceptingProxy(server, caPem);
  provedDirectly = { kubernetesHost: server, kubernetesCa: caPem };
  proxied = kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) });
});

afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack[Symbol.asyncDispose]()));
  await proxy?.[Symbol.asyncDispose]();
  admin?.close();
});

export async function make(config: Record<string, string | boolean> = {}): Promise<TestStack> {
  const stack = await TestStack.make(`crash-${++count}`, { kubeconfig, allowLoopbackHost: true, ...config });
  stacks.push(stack);
  return stack;
}

/** A stack whose requests go through the proxy. */
export async function makeProxied(config: Record<string, string | boolean> = {}): Promise<TestStack> {
  const stack = await make(config);
  await stack.configureSecret("kubeconfig", proxied);
  return stack;
}

const generated = ["Namespace", "ClusterRole", "ClusterRoleBinding"];

/**
 * Expects a stack to be as an undisturbed up leaves it, apart from orphans: at most one with a generated name for each creation that
 * was in flight. Returns the orphans.
 */
export async function expectWhole(
  stack: TestStack,
  before: readonly string[],
  inFlight: readonly string[],
  objects = tokenFlowObjects,
): Promise<string[]> {
  const known = await objectsInState(stack);
  const found = (await inventory(admin)).filter((object) => !before.includes(object));
  expect(added([], known)).toEqual(objects);
  expect(found).toEqual(expect.arrayContaining(known));
  const orphans = found.filter((object) => !known.includes(object));
  const allowed = inFlight.filter((kind) => generated.includes(kind));
  for (const kind of orphans.map((orphan) => orphan.split(" ")[0] ?? "")) {
    expect(allowed, orphans.join(", ")).toContain(kind);
    allowed.splice(allowed.indexOf(kind), 1);
  }
  const { resources, pending_operations: pending } = await deploymentOf(stack);
  const urns = (resources ?? []).map(({ urn }) => urn);
  expect(urns).toEqual([...new Set(urns)]);
  expect(pending ?? []).toEqual([]);
  expect(await locks(stack)).toEqual([]);
  const access = (await stack.outputs()).clusterAccess as unknown as Access;
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
  const seen = orphans.length > 0 ? expect.stringContaining(`orphaned: ${orphans.join(", ")};`) : expect.any(String);
  expect(await checkOrphans({ deployment: await deploymentOf(stack) }, admin)).toMatchObject([
    { holds: true },
    { holds: orphans.length === 0, seen },
  ]);
  return orphans;
}

export const certificateObjects = [
  ...tokenFlowObjects,
  "ClusterRole gateway-client-certificate-#",
  "ClusterRoleBinding gateway-client-certificate-#",
].sort();
