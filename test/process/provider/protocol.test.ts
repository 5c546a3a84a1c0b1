import { expect, test } from "vitest";
import { secretOf, unknownMark } from "../../support/plugin/properties.ts";
import { cluster, plugin, reviewer, reviewerInputs, token } from "./pluginFixture.ts";

const rancher = "k8sauth:index:RancherKey";

test("what the plugin is and accepts", async () => {
  expect(await plugin.version()).toMatch(/^\d+\.\d+\.\d+/);
  expect(await plugin.configure()).toMatchObject({
    acceptsecrets: true,
    acceptresources: true,
    supportspreview: true,
    acceptoutputs: true,
  });
  const handshake = await plugin.handshake("127.0.0.1:1");
  expect(handshake.getAcceptSecrets()).toBe(true);
});

test("the schema has every type, and marks what is secret", async () => {
  const schema = await plugin.schema();
  expect(schema).toMatchObject({
    name: "k8sauth",
    provider: { inputProperties: { kubeconfig: { secret: true, type: "string" }, offline: { default: "fail" } } },
    config: { variables: { context: { type: "string" } } },
    resources: {
      [cluster]: { properties: { uid: { type: "string" } } },
      [reviewer]: {
        requiredInputs: expect.arrayContaining(["host", "secretUid"]),
        properties: { token: { secret: true } },
      },
    },
    types: { "k8sauth:index:Right": { required: ["verb"] } },
  });
  const { resources } = schema as {
    resources: Record<string, { isComponent?: true; inputProperties: object; properties: object }>;
  };
  for (const { inputProperties, properties } of Object.values(resources).filter((one) => !one.isComponent)) {
    expect([...Object.keys(inputProperties), ...Object.keys(properties)]).not.toContain("kubeconfig");
  }
});

test("check keeps secrets secret, marks those that were forgotten, and fills in defaults", async () => {
  const server = { server: "https://rancher.example", clusterId: "local" };
  const defaults = { allowLoopback: false, proveHost: true };
  const marked = await plugin.check(rancher, { ...server, apiKey: secretOf("name:k") });
  const forgotten = await plugin.check(rancher, { ...server, apiKey: "name:k", caPem: unknownMark });
  expect(marked).toEqual({ inputs: { ...server, apiKey: secretOf("name:k"), ...defaults }, failures: [] });
  expect(forgotten.inputs).toEqual({ ...server, apiKey: secretOf("name:k"), caPem: unknownMark, ...defaults });
});

test.each([
  ["an unknown property", { hots: "x" }, "hots", "Known are"],
  ["a wrong type", { allowLoopback: "yes" }, "allowLoopback", "boolean"],
  ["a host without https", { host: "http://a.example" }, "host", "CLUSTER_HOST_INVALID"],
  ["a host with credentials", { host: `https://u:${token}@a.example` }, "host", "CLUSTER_HOST_INVALID"],
  ["a loopback host", { host: "https://127.0.0.1:6443" }, "host", "CLUSTER_HOST_LOOPBACK"],
  ["a CA that is none", { caPem: "x" }, "caPem", "KUBECONFIG_CA_INVALID"],
  ["a right without a verb", { rights: [{ resource: "pods" }] }, "rights", "verb"],
  ["a right to nothing", { rights: [{ verb: "get" }] }, "rights", "nonResourcePath"],
  [
    "a stray key of a name",
    { reservedNames: [{ apiVersion: "v1", kind: "Secret", name: "a", ns: "b" }] },
    "reservedNames",
    "ns",
  ],
  [
    "a name that two objects would have",
    { reservedNames: ["a", "b", "a"].map((name) => ({ apiVersion: "v1", kind: "Secret", namespace: "auth", name })) },
    "reservedNames",
    'Secret "a" in namespace auth twice',
  ],
])("check refuses %s of a Cluster", async (_what, inputs, property, reason) => {
  const { failures } = await plugin.check(cluster, inputs);
  expect(failures).toEqual([{ property, reason: expect.stringContaining(reason) }]);
  expect(JSON.stringify(failures)).not.toContain(token);
});

test.each([
  ["what is missing", {}, "namespace"],
  ["a name that is none", { ...reviewerInputs, secretName: "A_B" }, "secretName"],
  ["an empty audience", { ...reviewerInputs, audience: "" }, "audience"],
])("check refuses %s of a ReviewerToken", async (_what, inputs, property) => {
  const { failures } = await plugin.check(reviewer, inputs);
  expect(failures.map((failure) => failure.property)).toContain(property);
});

test("an unknown type is an error with the types that there are", async () => {
  await expect(plugin.create("k8sauth:index:Nothing", {})).rejects.toThrow(/TYPE_UNKNOWN.*k8sauth:index:Cluster/);
});

test.each([
  ["ReviewerToken", "TOKEN"],
  ["SignedCertificate", "CERTIFICATE"],
  ["RancherKey", "RANCHER"],
  ["AkeylessGatewayAuthConfig", "AKEYLESS"],
  ["AkeylessAuthMethod", "AKEYLESS"],
])("an import of a %s is refused with its own code", async (type, prefix) => {
  const imported = plugin.read(`k8sauth:index:${type}`, "x", {}, {});
  await expect(imported).rejects.toThrow(`${prefix}_NOT_IMPORTABLE`);
});
