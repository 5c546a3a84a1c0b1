import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { ConsulAuth } from "../../../demo/gateways/consul/index.ts";
import { RancherFront } from "../../../demo/gateways/rancher.ts";
import { SpireAttestor } from "../../../demo/gateways/spire/index.ts";
import { VaultAuth } from "../../../demo/gateways/vault/index.ts";
import { type KubeClient, type KubeObject, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { akeylessAuthMethod } from "../../../provider/akeyless/authMethod.ts";
import { contextFor } from "../../support/akeyless.ts";
import { ExampleShell } from "../../support/gateways/exampleShell.ts";
import { consulServer, infisicalServer, vaultServer } from "../../support/gateways/productServers.ts";
import { adminOf } from "../../support/inventory.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
/** The namespace of the workload in the examples. */
const shop = pathFor("v1", "Namespace", undefined, "shop");
let admin: KubeClient;
let gateway: AkeylessTestGateway;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  while (await admin.find(shop)) await sleep(200);
  await put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await put({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "shop", namespace: "shop" } });
  gateway = await AkeylessTestGateway.start();
  const method = { apiUrl: gateway.publicApi, caPem: gateway.caPem, name: "/k8s", boundNamespaces: ["shop"] };
  const { outputs } = await akeylessAuthMethod.create(method, contextFor(gateway.env).context);
  stack = await TestStack.make("examples", {
    kubeconfig,
    allowLoopbackHost: true,
    products: ["consul", "infisical", "spire"],
    certificateFlow: true,
    akeylessGatewayUrl: gateway.url,
    akeylessAccessId: outputs.accessId,
  });
  await stack.configureSecret("akeylessSigningKey", outputs.privateKey);
  await stack.up();
}, 300_000);

beforeEach(async () => {
  gateway.configs.clear();
  // Removes the settings that the commands of other examples have set. The next up applies that.
  await stack.configure({});
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await gateway?.[Symbol.asyncDispose]();
  await admin?.delete(shop, { ignoreNotFound: true });
  admin?.close();
});

async function put(object: KubeObject): Promise<void> {
  const { apiVersion = "", kind = "", metadata = {} } = object;
  await admin.create(pathFor(apiVersion, kind, metadata.namespace), object);
}

/** A shell in an example's folder, whose curl trusts the test gateway. */
async function shell(example: string, env: NodeJS.ProcessEnv = {}): Promise<ExampleShell> {
  const akeyless = { AKEYLESS_GATEWAY: gateway.url, AKEYLESS_TOKEN: gateway.session(), CURL_CA_BUNDLE: "ca.pem" };
  const opened = await ExampleShell.open(example, stack, kubeconfig, { ...akeyless, ...env });
  await writeFile(join(opened.folder, "ca.pem"), gateway.caPem);
  return opened;
}

test("Akeyless: the gateway takes the config, and a workload logs in", async () => {
  await using opened = await shell("akeyless");
  const said = await opened.readme();
  expect(said).toMatch(/"token":"t-/);
  expect(gateway.logins.at(-1)?.claims).toMatchObject({ namespace: "shop", service_account_name: "shop" });
});

test("Akeyless: Terraform's attributes are the fields of the auth config, all of them", async () => {
  const { authConfigs } = (await stack.outputs()) as unknown as {
    authConfigs: { token: { akeyless: Record<string, string> } };
  };
  const file = await readFile(join(program, "examples", "gateways", "akeyless", "main.tf"), "utf8");
  const attributes = [...file.matchAll(/^ {2}(\w+) += (try\()?local\.config\["([\w-]+)"\](?:, null\))?$/gm)];
  expect(attributes.map(([, name]) => name?.replaceAll("_", "-"))).toEqual(attributes.map(([, , , field]) => field));
  const optional = attributes.filter(([, , guard]) => guard).map(([, , , field]) => field);
  expect(optional).toEqual(["k8s-ca-cert", "k8s-issuer", "token-exp"]);
  const fields = Object.keys(authConfigs.token.akeyless).filter((field) => !optional.includes(field));
  expect(attributes.map(([, , , field]) => field).sort()).toEqual([...fields, ...optional].sort());
  expect(file).toMatch(/required_providers \{\s+akeyless = \{\s+source\s+= "akeyless-community\/akeyless"/);
});

test("Rancher: the settings are taken, and a workload logs in through it", async () => {
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  await using rancher = await RancherFront.start({ server, caPem, clusterToken: await adminToken(admin) });
  const { url: RANCHER_URL, clusterId: RANCHER_CLUSTER, checksum: RANCHER_CHECKSUM } = rancher;
  await using opened = await shell("rancher", { RANCHER_URL, RANCHER_CLUSTER, RANCHER_CHECKSUM });
  await writeFile(join(opened.folder, "rancher.key"), `${rancher.apiKey}\n`);
  await opened.readme();
  const { accessId } = [...gateway.account.methods.values()][0] ?? expect.fail("there is no auth method");
  const jwt = (await opened.run("kubectl create token shop --namespace shop")).trim();
  const { claims } = await gateway.logIn(accessId, "k8s-conf-rancher", jwt);
  expect(claims).toMatchObject({ namespace: "shop", service_account_name: "shop" });
});

test.each(["vault", "openbao"])(
  "%s: the auth method takes the config, and a workload logs in",
  async (product) => {
    await using vault = await VaultAuth.start();
    await using server = await vaultServer(vault);
    await using opened = await shell(product, { VAULT_ADDR: server.url, BAO_ADDR: server.url });
    const said = await opened.readme();
    expect(said).toContain('"service_account_name":"shop"');
    expect(said).toContain('"policies":["shop"]');
  },
  900_000,
);

test("Consul: its auth method takes the config, and a workload logs in as the service of its account", async () => {
  await using consul = await ConsulAuth.start();
  await using server = await consulServer(consul);
  await using opened = await shell("consul", { CONSUL_HTTP_ADDR: server.url });
  await opened.readme();
  expect(await readFile(join(opened.folder, "consul.token"), "utf8")).toBe("shop");
}, 900_000);

test("Infisical: the identity takes the config, and a workload logs in", async () => {
  await using server = await infisicalServer("a session");
  const env = { INFISICAL_URL: server.url, INFISICAL_TOKEN: "a session", IDENTITY_ID: "1f2e-3d" };
  // Without the audience of another example.
  await stack.up();
  await using opened = await shell("infisical", env);
  expect(await opened.readme()).toContain('"accessToken":"shop/shop"');
});

test("SPIRE: an agent attests by the kubeconfig, with token or certificate; one of another account or audience does not", async () => {
  await using opened = await shell("spire");
  expect(await opened.readme()).toContain("system:serviceaccount:");
  await using attestor = await SpireAttestor.start(join(opened.folder, "server.conf"));
  await put({ apiVersion: "v1", kind: "Node", metadata: { name: "examples-node" } });
  const spec = { nodeName: "examples-node", containers: [{ name: "agent", image: "none" }] };
  for (const serviceAccountName of ["shop", "default"]) {
    const metadata = { name: `agent-${serviceAccountName}`, namespace: "shop" };
    await put({ apiVersion: "v1", kind: "Pod", metadata, spec: { ...spec, serviceAccountName } } as KubeObject);
  }
  const token = async (account: string, audience: string) =>
    (
      await opened.run(
        `kubectl create token ${account} -n shop --audience ${audience} --bound-object-kind Pod --bound-object-name agent-${account}`,
      )
    ).trim();
  const selectors = ["agent_ns:shop", "agent_sa:shop", "agent_pod_name:agent-shop", "agent_node_name:examples-node"];
  expect(await attestor.attest("prod", await token("shop", "spire-server"))).toMatchObject({
    spiffeId: expect.stringMatching(/^spiffe:\/\/example\.org\/spire\/agent\/k8s_psat\/prod\//),
    selectors: expect.arrayContaining(selectors),
  });
  expect((await attestor.attest("prod", await token("default", "spire-server"))).error).toMatch(/not an allowed/);
  expect((await attestor.attest("prod", await token("shop", "elsewhere"))).error).toMatch(
    /invalid for the target audiences/,
  );
  await opened.run("pulumi stack output kubeconfigs --show-secrets --json | jq -r .certificate > kubeconfig");
  await using other = await SpireAttestor.start(join(opened.folder, "server.conf"));
  expect(await other.attest("prod", await token("shop", "spire-server"))).toMatchObject({
    selectors: expect.arrayContaining(selectors),
  });
  await admin.delete(pathFor("v1", "Node", undefined, "examples-node"));
}, 900_000);
