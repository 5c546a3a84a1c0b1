/** Losses: the passphrase, objects before a destroy, the cluster. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { Wire } from "../../support/proxies/wire.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let wire: Wire;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  home = await lodging(admin);
  wire = await Wire.to((await loadConnection({ kubeconfig }, {})).server);
  stack = await TestStack.make("state", { allowLoopbackHost: true, ...home.settings });
  const file = join(stack.folder, "kubeconfig");
  await writeFile(file, changedKubeconfig(kubeconfig, { cluster: { server: wire.url } }));
  await stack.configure({ kubeconfig: file });
  await stack.up();
});
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await wire?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

/** The names of the stack's objects of a type, by the state. */
async function namesOf(type: string): Promise<string[]> {
  const { deployment } = JSON.parse(await stack.command("stack", "export")) as {
    deployment: { resources?: { type: string; id?: string }[] };
  };
  return (deployment.resources ?? []).filter((one) => one.type === type).map(({ id = "" }) => id);
}

test("a wrong passphrase fails the run before the cluster is asked for anything", async () => {
  const { PULUMI_CONFIG_PASSPHRASE } = stack.env;
  stack.env.PULUMI_CONFIG_PASSPHRASE = "another one";
  wire.cut();
  for (const run of [() => stack.up(), () => stack.preview(), () => stack.destroy()]) {
    const error = (await run().catch((thrown: unknown) => thrown)) as Error;
    expect(error.message).toMatch(/incorrect passphrase/);
    expect(error.message).not.toMatch(/KUBE_|refused/);
  }
  stack.env.PULUMI_CONFIG_PASSPHRASE = PULUMI_CONFIG_PASSPHRASE;
});

test("a destroy of objects that are gone already succeeds", async () => {
  const rbac = "rbac.authorization.k8s.io/v1";
  const gone = ["ClusterRoleBinding", "ClusterRole"] as const;
  for (const kind of gone) {
    const [name] = await namesOf(`kubernetes:${rbac}:${kind}`);
    await admin.delete(pathFor(rbac, kind, undefined, name));
  }
  const { namespace } = home.settings;
  await admin.delete(pathFor("v1", "ServiceAccount", namespace, "gateway-token-reviewer"));
  await stack.destroy();
  expect(await namesOf(`kubernetes:${rbac}:ClusterRole`)).toEqual([]);
});

test("a destroy without the cluster fails, and forgets the objects if that is asked for", async () => {
  const [role = ""] = await namesOf("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole");
  wire.cut();
  await expect(stack.destroy()).rejects.toThrow(/unreachable|refused/i);
  expect(await namesOf("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")).toEqual([role]);
  stack.env.PULUMI_K8S_DELETE_UNREACHABLE = "true";
  await stack.destroy();
  expect(await namesOf("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole")).toEqual([]);
  // It still exists: the deployer could not delete it.
  const path = pathFor("rbac.authorization.k8s.io/v1", "ClusterRole", undefined, role);
  expect((await admin.get(path)).metadata?.name).toBe(role);
  await admin.delete(path);
});
