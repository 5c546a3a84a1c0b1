import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { pinsOf, RancherFront, type RancherOptions } from "../../../demo/gateways/rancher.ts";
import { caCertificates, type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { adminOf, lodging } from "../../support/inventory.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, clusterType } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let behind: Pick<RancherOptions, "server" | "caPem" | "clusterToken">;
const open: AsyncDisposable[] = [];

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  behind = { server, caPem, clusterToken: await adminToken(admin) };
});
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

async function rancherLike(options: Partial<RancherOptions> = {}): Promise<RancherFront> {
  const rancher = await RancherFront.start({ ...behind, ...options });
  open.push(rancher);
  return rancher;
}

/** A stack whose gateway reaches the cluster through Rancher; the deployer comes another way. */
async function make(rancher: RancherFront, settings: Record<string, string | boolean>): Promise<TestStack> {
  const home = await lodging(admin);
  open.push({ [Symbol.asyncDispose]: () => home[Symbol.asyncDispose]() });
  const at = { kubernetesHost: rancher.clusterUrl, allowLoopbackHost: true };
  const config = { kubeconfig, ...home.settings, ...at, ...settings };
  const stack = await TestStack.make("rancher", config);
  open.push(stack);
  return stack;
}

async function refusal(stack: TestStack): Promise<string> {
  const failure = await stack.up().then(
    () => expect.fail("the up succeeded"),
    (error: Error) => error.message,
  );
  // Steps of the stack and of providers create no object in a cluster.
  expect(stack.steps.filter((step) => !/ (Stack|k8sauth|kubernetes)$/.test(step))).toEqual([]);
  return `${failure}\n${stack.said}`;
}

interface Outputs {
  readonly clusterAccess: Access;
  readonly cluster: { readonly caSource: string; readonly caFingerprint: string };
}
const outputsOf = async (stack: TestStack) => (await stack.outputs()) as unknown as Outputs;

/** Properties of the resource Cluster at a host, for which the whole stack is not needed. */
const clusterInputs = (rancher: RancherFront, caPin: string) => ({
  kubeconfig: secretOf(readFileSync(kubeconfig, "utf8")),
  host: rancher.clusterUrl,
  caPin,
  allowLoopback: true,
  proveHost: true,
});

describe("a pin takes the CA, and never the server's own certificate", () => {
  let plugin: Plugin;

  beforeAll(async () => {
    plugin = await Plugin.start();
  });
  afterAll(() => plugin?.[Symbol.asyncDispose]());

  test.each<[string, Partial<RancherOptions>, (rancher: RancherFront) => string, "root" | "intermediate"]>([
    ["fingerprint of a root that is sent", {}, ({ root }) => pinsOf(root).certificate, "root"],
    ["public key of a root that is sent", {}, ({ root }) => pinsOf(root).publicKey, "root"],
    ["fingerprint of an intermediate", {}, ({ intermediate }) => pinsOf(intermediate).certificate, "intermediate"],
    ["checksum of cacerts, no root sent", { sends: ["intermediate"] }, ({ checksum }) => checksum, "root"],
    [
      "fingerprint of a root in cacerts alone",
      { sends: ["intermediate"] },
      ({ root }) => pinsOf(root).certificate,
      "root",
    ],
  ])("%s", async (_what, options, pin, taken) => {
    const rancher = await rancherLike(options);
    const inputs = clusterInputs(rancher, pin(rancher));
    const { id, outputs } = await plugin.create(clusterType, inputs);
    const caPem = caCertificates(rancher[taken].certPem, "the test");
    expect(outputs).toMatchObject({
      host: rancher.clusterUrl,
      caPem,
      caSource: "pin",
      caFingerprint: pinsOf(rancher[taken]).certificate,
    });
    const token = behind.clusterToken;
    expect(await reviewSelf({ host: rancher.clusterUrl, caPem, token })).toMatchObject({ authenticated: true });
    expect(new Set(rancher.serverNames)).toEqual(new Set(["localhost"]));
    expect(await plugin.diff(clusterType, id, outputs, inputs, inputs)).toMatchObject({ changes: false });
    expect(await plugin.read(clusterType, id, outputs, inputs)).toMatchObject({ id, outputs });
  });

  test("a pin of the server's own certificate is refused, and the CA's is named", async () => {
    const rancher = await rancherLike();
    const created = plugin.create(clusterType, clusterInputs(rancher, pinsOf(rancher.leaf).certificate));
    await expect(created).rejects.toThrow(/CLUSTER_CA_PIN_MISMATCH.*not of its CA/);
    await expect(created).rejects.toThrow(pinsOf(rancher.root).certificate);
  });

  test.each<[string, Partial<RancherOptions>, RegExp]>([
    ["no CA in the chain", { sends: [], cacerts: "none" }, /CLUSTER_CA_NOT_SHOWN.*answers 404/],
    ["a redirect", { sends: [], cacerts: "redirect" }, /CLUSTER_CA_NOT_SHOWN.*redirects/],
    ["a login page", { sends: [], cacerts: "html" }, /CLUSTER_CA_NOT_SHOWN.*text\/html/],
    ["an expired certificate", { leaf: { notAfterMs: -60_000 } }, /KUBE_TLS_EXPIRED/],
    ["a certificate for another name", { leaf: { names: ["rancher.example"] } }, /KUBE_TLS_NAME/],
    ["TLS 1.1", { maxVersion: "TLSv1.1" }, /KUBE_TLS_PROTOCOL/],
  ])("%s is refused with its reason", async (_what, options, expected) => {
    const rancher = await rancherLike(options);
    const inputs = clusterInputs(rancher, pinsOf(rancher.root).publicKey);
    await expect(plugin.create(clusterType, inputs)).rejects.toThrow(expected);
  });
});

describe("a stack with a pin", () => {
  test("has the pinned CA in its outputs, and changes nothing the second time", async () => {
    const rancher = await rancherLike();
    const stack = await make(rancher, { kubernetesCaPin: pinsOf(rancher.root).certificate });
    await stack.up();
    const { clusterAccess, cluster } = await outputsOf(stack);
    expect(clusterAccess).toMatchObject({
      host: rancher.clusterUrl,
      caPem: caCertificates(rancher.root.certPem, "the test"),
    });
    expect(cluster).toMatchObject({ caSource: "pin", caFingerprint: pinsOf(rancher.root).certificate });
    expect(await reviewSelf(clusterAccess)).toMatchObject({ authenticated: true });
    await stack.up();
    expect(stack.steps).toEqual([]);
    expect((await stack.refresh()).changes).toEqual({ same: expect.any(Number) });
  });

  test("another CA than the pinned one is refused, and both fingerprints are shown", async () => {
    const rancher = await rancherLike();
    const other = await rancherLike();
    const said = await refusal(await make(rancher, { kubernetesCaPin: pinsOf(other.root).certificate }));
    expect(said).toMatch(/CLUSTER_CA_PIN_MISMATCH/);
    expect(said).toContain(pinsOf(other.root).certificate);
    expect(said).toContain(pinsOf(rancher.root).certificate);
  });
});

describe("trust on first use", () => {
  test.each<[string, Partial<RancherOptions>]>([
    ["the root that is sent", {}],
    ["Rancher's cacerts where no root is sent", { sends: ["intermediate"] }],
  ])("takes %s, says its fingerprint, and keeps it", async (_what, options) => {
    const rancher = await rancherLike(options);
    const stack = await make(rancher, { trustOnFirstUse: true });
    await stack.up();
    expect(stack.said).toMatch(/is trusted at first use/);
    expect(stack.said).toContain(pinsOf(rancher.root).certificate);
    const { clusterAccess, cluster } = await outputsOf(stack);
    expect(cluster.caSource).toBe("first use");
    expect(clusterAccess.caPem).toBe(caCertificates(rancher.root.certPem, "the test"));
    await stack.up();
    expect(stack.steps).toEqual([]);
    expect(stack.said).not.toMatch(/on trust/);
    expect((await stack.refresh()).changes).toEqual({ same: expect.any(Number) });
  });

  test("notices another CA ever after, shows both, and goes on with the pin of the new one", async () => {
    const first = await rancherLike();
    const stack = await make(first, { trustOnFirstUse: true });
    await stack.up();
    const { port, root } = first;
    await open.splice(open.indexOf(first), 1)[0]?.[Symbol.asyncDispose]();
    const second = await RancherFront.start({ ...behind, port });
    open.unshift(second);
    Object.assign(second, { clusterId: first.clusterId });
    const said = await refusal(stack);
    expect(said).toMatch(/CLUSTER_CA_CHANGED/);
    for (const identity of [root, second.root]) expect(said).toContain(pinsOf(identity).certificate);
    await stack.configure({ trustOnFirstUse: undefined, kubernetesCaPin: pinsOf(second.root).certificate });
    await stack.up();
    expect((await outputsOf(stack)).clusterAccess.caPem).toBe(caCertificates(second.root.certPem, "the test"));
  });

  test("a renewed certificate of the same CA is no change", async () => {
    const first = await rancherLike();
    const stack = await make(first, { trustOnFirstUse: true });
    await stack.up();
    const { port, root } = first;
    await open.splice(open.indexOf(first), 1)[0]?.[Symbol.asyncDispose]();
    open.unshift(await RancherFront.start({ ...behind, port, root }));
    await stack.up();
    expect(stack.steps).toEqual([]);
  });
});

test("a whole stack goes through Rancher with its API key, checksum and cluster id", async () => {
  const rancher = await rancherLike({ sends: ["intermediate"] });
  const stack = await make(rancher, { kubeconfig: rancher.kubeconfig(), kubernetesCaPin: rancher.checksum });
  await stack.up();
  expect(await reviewSelf((await outputsOf(stack)).clusterAccess)).toMatchObject({ authenticated: true });
  await stack.destroy();
});

test.each([
  [{ kubernetesCaPin: "12:34" }, /k8sauth:kubernetesCaPin is not a SHA-256/],
  [{ kubernetesCaPin: "ab".repeat(32), trustOnFirstUse: true }, /Set one of the three/],
  [{ kubernetesCaPin: "ab".repeat(32), proveHost: false }, /k8sauth:proveHost is false/],
])("%o is refused", async (settings, expected) => {
  const rancher = await rancherLike();
  expect(await refusal(await make(rancher, settings))).toMatch(expected);
});
