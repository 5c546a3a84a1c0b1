import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { type KubeClient, loadConnection, pathFor } from "../../kubernetes/index.ts";
import { podKubeconfig } from "../../kubernetes/kubeconfig/inCluster.ts";
import { adminOf, inventory, type Lodging, lodging } from "../support/inventory.ts";
import { kubectl } from "../support/kubectl.ts";
import { TestStack, type Value } from "../support/pulumi/stack.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  const reader = { namespace: home.settings.namespace, clusterRole: "view" };
  const settings = { kubeconfig, allowLoopbackHost: true, bearerTokenUsers: { reader }, ...home.settings };
  stack = await TestStack.make("prod", settings);
  await stack.up();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

test("without its settings file, as in a clone that lacks it, a stack's runs fail before anything is planned", async () => {
  const before = { objects: await inventory(admin), state: await readFile(stack.stateFile, "utf8") };
  const file = await readFile(stack.configFile, "utf8");
  try {
    // A run creates the file with nothing but the salt of the passphrase.
    await writeFile(stack.configFile, `${/^encryptionsalt: .*$/m.exec(file)?.[0]}\n`);
    for (const run of [() => stack.preview(), () => stack.preview({ refresh: true }), () => stack.up()]) {
      await expect(run()).rejects.toThrow(/k8sauth:context is not set\. .*Pulumi\.prod\.yaml is missing or empty/);
      expect(operations()).toEqual([]);
    }
  } finally {
    await writeFile(stack.configFile, file);
  }
  expect(await inventory(admin)).toEqual(before.objects);
  expect(resourcesOf(await readFile(stack.stateFile, "utf8"))).toEqual(resourcesOf(before.state));
  expect((await stack.preview()).changes).toEqual({ same: expect.any(Number) });
});

/** Steps that the last run planned or did, without reads of existing objects. */
function operations(): string[] {
  return stack.events.flatMap((event) =>
    event.kind === "step" && !["same", "refresh"].includes(event.operation) ? [`${event.operation} ${event.urn}`] : [],
  );
}

function resourcesOf(state: string): string[] {
  const { resources } = JSON.parse(state).checkpoint.latest as { resources: readonly { urn: string }[] };
  return resources.map(({ urn }) => urn);
}

test("defaults are not written into the settings file by `config refresh`", async () => {
  const keys = async () => Object.keys(parse(await readFile(stack.configFile, "utf8")).config).sort();
  const before = await keys();
  await stack.up();
  await stack.command("config", "refresh", "--force");
  expect(await keys()).toEqual(before);
});

test("an error about an input of a resource names the setting that the value comes from", async () => {
  const wrong: Readonly<Record<string, Value>>[] = [
    { allowLoopbackHost: false, kubernetesHost: "https://127.0.0.1:6443" },
    { kubernetesCaPin: "00".repeat(32) },
  ];
  const [loopback, unpinned] = await Promise.all(
    wrong.map(async (settings, index) => {
      const all = { kubeconfig, allowLoopbackHost: true, ...home.settings, ...settings };
      await using other = await TestStack.make(`wrong-${index}`, all);
      await expect(other.up()).rejects.toThrow();
      return other.said;
    }),
  );
  expect(loopback).toMatch(
    /k8sauth:kubernetesHost: CLUSTER_HOST_LOOPBACK.*Set k8sauth:kubernetesHost to .*, or set k8sauth:allowLoopbackHost/s,
  );
  expect(unpinned).toMatch(/CLUSTER_CA_NOT_SHOWN.*Set k8sauth:kubernetesCa to/s);
});

test("the kubeconfig that is written for a pod's account leads to it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-pod-"));
  const { namespace } = home.settings;
  const account = { metadata: { name: "deployer", namespace } };
  try {
    await admin.create(pathFor("v1", "ServiceAccount", namespace), {
      apiVersion: "v1",
      kind: "ServiceAccount",
      ...account,
    });
    const { status } = await admin.create<{ status: { token: string } }>(
      `${pathFor("v1", "ServiceAccount", namespace, "deployer")}/token`,
      { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} },
    );
    const { server, caPem } = await loadConnection({ kubeconfig }, {});
    await writeFile(join(folder, "token"), status.token);
    await writeFile(join(folder, "ca.crt"), caPem);
    const { hostname, port } = new URL(server);
    const written = podKubeconfig({ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, folder) ?? "";
    expect(written).not.toContain(status.token);
    const said = await kubectl(folder, written, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}");
    expect(said).toMatchObject({ status: 0, stdout: `system:serviceaccount:${namespace}:deployer` });
  } finally {
    await rm(folder, { recursive: true });
  }
});
