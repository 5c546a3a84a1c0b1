import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { check } from "../../../cli/check.ts";
import { pinsOf, RancherFront, type RancherOptions } from "../../../demo/gateways/rancher.ts";
import { caCertificates, type KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { added, adminOf, inventory } from "../../support/inventory.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, bindingOf, bindingPath, fresh } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let behind: Pick<RancherOptions, "server" | "caPem" | "clusterToken">;
let workloads: Workloads;
let rancher: RancherFront;
let pushing: PushingStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  behind = { server, caPem, clusterToken: await adminToken(admin) };
  workloads = await Workloads.make(admin);
});
afterAll(async () => {
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

beforeEach(async () => {
  rancher = await RancherFront.start(behind);
});
afterEach(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await rancher[Symbol.asyncDispose]();
});

/** A host of the cluster that is not this machine, and is not tried. */
const elsewhere = { kubernetesHost: "https://k8s.example", proveHost: false, rancherCaPin: "" };

const through = () => ({
  rancherUrl: rancher.url,
  rancherClusterId: rancher.clusterId,
  rancherCaPin: rancher.checksum,
  rancherApiKey: rancher.apiKey,
});

async function make(settings: Record<string, Value>): Promise<PushingStack> {
  const { rancherApiKey, ...others } = settings;
  pushing = await PushingStack.make("rancher", kubeconfig, {
    tokenFlow: false,
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    ...others,
  });
  if (rancherApiKey) await pushing.stack.configureSecret("rancherApiKey", String(rancherApiKey));
  return pushing;
}

interface Outputs {
  readonly authConfigs: Record<string, { akeyless: Record<string, string> }>;
  readonly credentials: Record<string, Record<string, string>>;
}
const outputsOf = async () => (await pushing.outputs()) as unknown as Outputs;

async function expectLogin(): Promise<void> {
  const { claims } = await pushing.logIn(await workloads.token("shop"));
  expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
}

const held = () => pushing.gateway.configs.get("k8s-conf-rancher")?.rancher_api_key;

describe("through Rancher", () => {
  test("a workload logs in with nothing but stack outputs, and nothing is created in the cluster", async () => {
    await workloads.token("shop");
    const before = await inventory(admin);
    await make({ ...through(), akeylessProofAccount: `${workloads.namespace}/shop` });
    await pushing.stack.up();
    await expectLogin();
    expect(added(before, await inventory(admin))).toEqual([]);
    const { authConfigs, credentials } = await outputsOf();
    expect(authConfigs).toEqual({ rancher: { akeyless: expect.anything() } });
    expect(authConfigs.rancher?.akeyless).toMatchObject({
      name: "k8s-conf-rancher",
      "cluster-api-type": "rancher",
      "k8s-host": rancher.url,
      "rancher-cluster-id": rancher.clusterId,
      "rancher-api-key": rancher.apiKey,
      "k8s-ca-cert": Buffer.from(caCertificates(rancher.root.certPem, "the test")).toString("base64"),
    });
    expect(credentials.rancher).toMatchObject({
      kind: "RancherKey",
      subject: rancher.apiKey.split(":")[0],
      notAfter: "",
    });
    const { findings, expiries } = await check(await pushing.stack.outputs(), admin);
    expect(findings.map(({ holds }) => holds)).toEqual([true, true]);
    expect(expiries).toEqual([expect.objectContaining({ credential: "rancher", unknown: true })]);
    await pushing.stack.up();
    expect(pushing.stack.steps).toEqual([]);
    await pushing.stack.destroy();
    expect(pushing.gateway.configs.size).toBe(0);
  });

  test("a new API key reaches the gateway in the same up, and its end is an output; the key is in no plaintext", async () => {
    await make(through());
    await pushing.stack.up();
    const first = rancher.apiKey;
    const second = rancher.makeKey("2031-02-03T04:05:06.000Z");
    await pushing.stack.configureSecret("rancherApiKey", `Bearer ${second}\n`);
    await pushing.stack.up();
    expect(pushing.stack.steps).toEqual(["update RancherKey", "update AkeylessGatewayAuthConfig"]);
    expect(held()).toBe(second);
    rancher.apiKeys.delete(first);
    await expectLogin();
    expect((await outputsOf()).credentials.rancher?.notAfter).toBe("2031-02-03T04:05:06Z");
    const { stack } = pushing;
    const seen = JSON.stringify([stack.history, stack.events]) + (await readFile(stack.stateFile, "utf8"));
    for (const key of [first, second]) expect(seen.includes(key.split(":")[1] ?? key)).toBe(false);
  });

  test("a new key that is dead does not reach the gateway, where the old one goes on", async () => {
    await make(through());
    await pushing.stack.up();
    const dead = rancher.makeKey();
    rancher.apiKeys.delete(dead);
    await pushing.stack.configureSecret("rancherApiKey", dead);
    await expect(pushing.stack.up()).rejects.toThrow(/RANCHER_KEY_REFUSED.*does not accept the API key/);
    expect(held()).toBe(rancher.apiKey);
    await expectLogin();
  });

  test("a key that died since stops the next up and preview with what to do", async () => {
    await make(through());
    await pushing.stack.up();
    rancher.apiKeys.clear();
    await expect(pushing.stack.preview()).rejects.toThrow(/RANCHER_KEY_REFUSED.*expired/);
    await expect(pushing.stack.up()).rejects.toThrow(/RANCHER_KEY_REFUSED/);
    const { findings } = await check(await pushing.stack.outputs(), admin);
    expect(findings[0]).toMatchObject({
      holds: false,
      seen: expect.stringMatching(/does not accept the Rancher API key/),
    });
  });

  test("a Rancher that does not answer is an error; with `offline: warn` it is a warning for what exists", async () => {
    await make(through());
    await pushing.stack.up();
    await rancher[Symbol.asyncDispose]();
    await expect(pushing.stack.up()).rejects.toThrow(/KUBE_REFUSED: Rancher's API key was not tried/);
    await pushing.stack.configure({ offline: "warn" });
    await pushing.stack.up();
    expect(pushing.stack.said).toMatch(/Rancher's API key was not tried/);
    await pushing.stack.configureSecret("rancherApiKey", rancher.makeKey());
    await expect(pushing.stack.up()).rejects.toThrow(/KUBE_REFUSED/);
    rancher = await RancherFront.start(behind);
  });

  test("its own flow and the reviewer's token are separate configs", async () => {
    await make({ ...through(), tokenFlow: true });
    await pushing.stack.up();
    expect([...pushing.gateway.configs.keys()].sort()).toEqual(["k8s-conf", "k8s-conf-rancher"]);
    expect(Object.keys((await outputsOf()).authConfigs).sort()).toEqual(["rancher", "token"]);
  });

  test.each<[string, () => Record<string, Value>, RegExp]>([
    ["another cluster's id", () => ({ rancherClusterId: "c-other" }), /RANCHER_KEY_REFUSED.*clusterID does not match/],
    ["the cluster's CA", () => ({ rancherCaPin: "", rancherCa: behind.caPem }), /KUBE_TLS_UNTRUSTED/],
    [
      "a pin of its own certificate",
      () => ({ rancherCaPin: pinsOf(rancher.leaf).certificate }),
      /CLUSTER_CA_PIN_MISMATCH.*not of its CA/,
    ],
    ["no CA, so the public ones", () => ({ rancherCaPin: "" }), /KUBE_TLS_UNTRUSTED/],
    ["a loopback address", () => ({ allowLoopbackHost: false, ...elsewhere }), /'rancher'.*CLUSTER_HOST_LOOPBACK/],
    ["no way there from here, and a pin", () => ({ proveHost: false }), /proveHost.*set k8sauth:rancherCa/],
  ])("%s is refused before anything is created", async (_what, wrong, message) => {
    await make({ tokenFlow: true, ...through(), ...wrong() });
    const before = await inventory(admin);
    const failure = await pushing.stack.up().then(
      () => expect.fail("the up succeeded"),
      (error: Error) => error.message,
    );
    expect(`${failure}\n${pushing.stack.said}`).toMatch(message);
    expect(added(before, await inventory(admin))).toEqual([]);
    expect(pushing.gateway.commands).toEqual([]);
  });

  test("a key whose user may not review is refused with the right's name", async () => {
    const account = fresh("unbound");
    await admin.create(pathFor("v1", "ServiceAccount", "default"), {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: account },
    });
    const path = `${pathFor("v1", "ServiceAccount", "default", account)}/token`;
    const { status } = await admin.create<{ status: { token: string } }>(path, { spec: {} });
    await rancher[Symbol.asyncDispose]();
    rancher = await RancherFront.start({ ...behind, clusterToken: status.token });
    await make(through());
    await expect(pushing.stack.up()).rejects.toThrow(/RANCHER_MAY_NOT_REVIEW.*create tokenreviews/);
    await admin.create(bindingPath(), bindingOf(account, "default", account));
    await pushing.stack.up();
    await expectLogin();
    await admin.delete(bindingPath(account));
  });
});

describe("a gateway in the cluster that reviews as its own ServiceAccount", () => {
  test("is bound to the reviewer's role, and a workload logs in with nothing but stack outputs", async () => {
    await workloads.token("gateway");
    const before = await inventory(admin);
    await make({ akeylessGatewayAccount: `${workloads.namespace}/gateway` });
    await pushing.stack.up();
    expect(added(before, await inventory(admin))).toEqual([
      "ClusterRole gateway-account-#",
      "ClusterRoleBinding gateway-account-#",
    ]);
    const { server, caPem } = behind;
    pushing.gateway.ownAccount = { host: server, caPem, token: await workloads.token("gateway") };
    await expectLogin();
    const { authConfigs } = await outputsOf();
    expect(authConfigs.gatewayAccount?.akeyless).toMatchObject({
      name: "k8s-conf-gateway-account",
      "k8s-host": "https://kubernetes.default.svc",
      "use-gw-service-account": true,
    });
    expect(authConfigs.gatewayAccount?.akeyless).not.toHaveProperty("token-reviewer-jwt");
    await pushing.stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
  });

  test("is required before anything is created, if it is missing", async () => {
    await make({ akeylessGatewayAccount: `${workloads.namespace}/absent` });
    await expect(pushing.stack.up()).rejects.toThrow(
      new RegExp(`CLUSTER_OBJECT_MISSING.*ServiceAccount "absent" in namespace ${workloads.namespace}`),
    );
    expect(pushing.gateway.commands).toEqual([]);
  });
});
