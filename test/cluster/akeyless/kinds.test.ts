import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { RancherFront } from "../../../demo/gateways/rancher.ts";
import { akeylessGatewayAccountAuthConfig, akeylessRancherAuthConfig } from "../../../gateways/index.ts";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { akeylessAuthMethod } from "../../../provider/akeyless/authMethod.ts";
import { type AuthConfig, akeylessGatewayAuthConfig } from "../../../provider/akeyless/index.ts";
import { contextFor } from "../../support/akeyless.ts";
import { type PushedOutputs, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, bindingOf, bindingPath, fresh } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const options = { name: "k8s-conf", validateIssuer: false };
let admin: KubeClient;
let gateway: AkeylessTestGateway;
let rancher: RancherFront;
let workloads: Workloads;
let method: { accessId: string; signingKey: string };
let server: string;
let caPem: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  workloads = await Workloads.make(admin);
  gateway = await AkeylessTestGateway.start();
  ({ server, caPem } = await loadConnection({ kubeconfig }, {}));
  rancher = await RancherFront.start({ server, caPem, clusterToken: await adminToken(admin) });
  const named = {
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    name: "/k8s",
    boundNamespaces: [workloads.namespace],
  };
  const { outputs } = await akeylessAuthMethod.create(named, contextFor(gateway.env).context);
  method = { accessId: outputs.accessId, signingKey: outputs.privateKey };
});

beforeEach(() => gateway.configs.clear());

afterAll(async () => {
  await rancher?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

async function push(config: object): Promise<void> {
  const inputs = { gatewayApi: gateway.gatewayApi, caPem: gateway.caPem, config: config as AuthConfig };
  await akeylessGatewayAuthConfig.create(inputs, contextFor(gateway.env).context);
}

describe("through Rancher", () => {
  const access = () => ({
    host: rancher.url,
    caPem: rancher.caPem,
    issuer: "",
    audience: "",
    apiKey: rancher.apiKey,
    clusterId: rancher.clusterId,
  });

  test("a workload logs in by a config with API key and cluster id", async () => {
    await push(akeylessRancherAuthConfig(access(), method, options));
    const { claims } = await gateway.logIn(method.accessId, "k8s-conf", await workloads.token("shop"));
    expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
  });

  test.each([
    ["another cluster's id", { clusterId: "c-other" }, /answered 401/],
    ["a dead API key", { apiKey: "token-abcde:other" }, /answered 401/],
  ])("with %s no workload logs in", async (_what, wrong, why) => {
    await push(akeylessRancherAuthConfig({ ...access(), ...wrong }, method, options));
    await expect(gateway.logIn(method.accessId, "k8s-conf", await workloads.token("shop"))).rejects.toThrow(why);
  });

  test("with the cluster's CA instead of Rancher's no workload logs in", async () => {
    await push(akeylessRancherAuthConfig({ ...access(), caPem }, method, options));
    await expect(gateway.logIn(method.accessId, "k8s-conf", await workloads.token("shop"))).rejects.toThrow(
      /token review failed: (UNABLE_TO|SELF_SIGNED)/,
    );
  });
});

test("by the gateway's own service account a workload logs in, if the gateway is in the cluster", async () => {
  const access = { host: "https://kubernetes.default.svc", caPem: "", issuer: "", audience: "" };
  await push(akeylessGatewayAccountAuthConfig(access, method, options));
  const jwt = await workloads.token("shop");
  await expect(gateway.logIn(method.accessId, "k8s-conf", jwt)).rejects.toThrow(/does not run in a cluster/);
  const binding = fresh("gateway");
  await admin.create(bindingPath(), bindingOf(binding, workloads.namespace, "gateway"));
  gateway.ownAccount = { host: server, caPem, token: await workloads.token("gateway") };
  // The API server learns of a new binding by its watch.
  const { claims } = await vi.waitFor(() => gateway.logIn(method.accessId, "k8s-conf", jwt), 10_000);
  expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
  await admin.delete(bindingPath(binding));
});

test("with a generated key the key that was shown once logs workloads in, and no other does", async () => {
  const given = { apiUrl: gateway.publicApi, caPem: gateway.caPem, name: "/other" };
  const { outputs } = await akeylessAuthMethod.create(given, contextFor(gateway.env).context);
  const access = {
    host: rancher.url,
    caPem: rancher.caPem,
    issuer: "",
    audience: "",
    apiKey: rancher.apiKey,
    clusterId: rancher.clusterId,
  };
  await push(akeylessRancherAuthConfig(access, { ...method, signingKey: outputs.privateKey }, options));
  await expect(gateway.logIn(method.accessId, "k8s-conf", await workloads.token("shop"))).rejects.toThrow(
    /signature is invalid/,
  );
});

test("a stack with access id and key of an auth method that exists pushes configs for it, and makes none", async () => {
  await using stack = await TestStack.make(
    "akeyless-given",
    {
      kubeconfig,
      allowLoopbackHost: true,
      akeylessPush: true,
      akeylessGatewayUrl: gateway.url,
      akeylessCa: gateway.caPem,
      akeylessAccessId: method.accessId,
    },
    gateway.env,
  );
  await stack.configureSecret("akeylessSigningKey", method.signingKey);
  const before = gateway.account.methods.size;
  await stack.up();
  expect(gateway.account.methods.size).toBe(before);
  const { akeyless } = (await stack.outputs()).workloadLogin as unknown as PushedOutputs["workloadLogin"];
  expect(akeyless.accessId).toBe(method.accessId);
  const { claims } = await gateway.logIn(method.accessId, akeyless.k8sAuthConfigName, await workloads.token("shop"));
  expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
  await stack.destroy();
  expect(gateway.configs.size).toBe(0);
});
