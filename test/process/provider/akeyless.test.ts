import { afterAll, beforeAll, expect, test } from "vitest";
import { AkeylessTestGateway } from "../../../demo/akeyless/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { keyPair, tokenConfig } from "../../support/akeyless.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { isSecret, revealed, secretOf, unknownMark } from "../../support/plugin/properties.ts";

const types = {
  method: "k8sauth:index:AkeylessAuthMethod",
  config: "k8sauth:index:AkeylessGatewayAuthConfig",
  certificate: "k8sauth:index:AkeylessCertificate",
  role: "k8sauth:index:AkeylessRole",
  association: "k8sauth:index:AkeylessRoleAssociation",
};
const { signingKey } = keyPair();
const config = tokenConfig(signingKey);
let gateway: AkeylessTestGateway;
let engine: FakeEngine;
let plugin: Plugin;
const secrets = new Set([signingKey, String(config["token-reviewer-jwt"])]);

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
  secrets.add(gateway.accessKey);
  engine = await startEngine();
  plugin = await Plugin.start(engine, { ...process.env, ...gateway.env });
});
afterAll(async () => {
  await plugin[Symbol.asyncDispose]();
  engine.stop();
  await gateway[Symbol.asyncDispose]();
});

function api() {
  return { apiUrl: gateway.publicApi, caPem: gateway.caPem };
}

test("the plugin knows the types, with what is secret in them", async () => {
  const { resources } = (await plugin.schema()) as {
    resources: Record<string, { inputProperties: Record<string, object>; properties: Record<string, object> }>;
  };
  expect(resources[types.config]?.inputProperties.config).toMatchObject({ type: "object", secret: true });
  expect(resources[types.method]?.properties.privateKey).toMatchObject({ secret: true });
  expect(Object.keys(resources)).toEqual(expect.arrayContaining(Object.values(types)));
});

test("previews of every type send no request, and know what follows from what is known", async () => {
  gateway.calls.length = 0;
  const method = await plugin.create(types.method, { ...api(), name: "/m", boundNamespaces: ["a"] }, { preview: true });
  expect(method.outputs).toMatchObject({ name: "/m", accessId: unknownMark });
  const unknownConfig = secretOf(unknownMark);
  const pushed = await plugin.create(
    types.config,
    { gatewayApi: gateway.gatewayApi, config: unknownConfig },
    { preview: true },
  );
  expect(pushed.outputs).toMatchObject({ gatewayApi: gateway.gatewayApi, name: unknownMark });
  const certificatePem = makeCertificate({ commonName: "c" }).certPem;
  const certificate = await plugin.create(
    types.certificate,
    { ...api(), name: "/c", certificatePem },
    { preview: true },
  );
  expect(certificate.outputs).toMatchObject({ name: "/c", notAfter: expect.stringMatching(/Z$/) });
  const claims = { subClaims: { namespace: "a" } };
  const role = { ...api(), name: "/r", rules: [{ path: "/a/*", capabilities: ["read"] }] };
  expect((await plugin.create(types.role, role, { preview: true })).outputs).toMatchObject({ name: "/r" });
  const association = { ...api(), roleName: "/r", authMethodName: "/m", accessId: unknownMark, ...claims };
  const granted = await plugin.create(types.association, association, { preview: true });
  expect(granted.outputs).toMatchObject({ assocId: unknownMark });
  expect(gateway.calls).toEqual([]);
});

test("the generated key comes back as a secret, and stays through a refresh", async () => {
  const inputs = { ...api(), name: "/generated", boundNamespaces: ["a"] };
  const { id, outputs } = await plugin.create(types.method, inputs);
  expect(isSecret(outputs.privateKey)).toBe(true);
  const { privateKey } = revealed(outputs);
  expect(Buffer.from(String(privateKey), "base64").toString()).toMatch(/BEGIN RSA PRIVATE KEY/);
  secrets.add(String(privateKey));
  const read = await plugin.read(types.method, id, revealed(outputs), inputs);
  expect(read.id).toBe(id);
  expect(isSecret(read.outputs.privateKey)).toBe(true);
  expect(revealed(read.outputs).privateKey).toBe(privateKey);
});

test("a warning that two operations of a resource have is logged once", async () => {
  const certificatePem = makeCertificate({ commonName: "noticed" }).certPem;
  const inputs = { ...api(), name: "/noticed", certificatePem, expirationEventIn: ["7"], eventForwarder: "/mail" };
  engine.lines.length = 0;
  const { id, outputs } = await plugin.create(types.certificate, inputs);
  await plugin.update(types.certificate, id, outputs, inputs, { ...inputs, description: "changed" });
  expect(engine.lines.filter(({ message }) => /may not be delivered/.test(message))).toHaveLength(1);
});

test("an engine that hands over outputs alone can delete and refresh", async () => {
  const given = { gatewayApi: gateway.gatewayApi, caPem: gateway.caPem, config: secretOf(config) };
  const { id, outputs } = await plugin.create(types.config, given);
  expect(gateway.configs.size).toBe(1);
  expect((await plugin.read(types.config, id, outputs, given)).id).toBe("k8s-conf");
  await plugin.delete(types.config, id, outputs);
  expect(gateway.configs.size).toBe(0);
});

test("a config that the program forgot to mark is marked by the plugin", async () => {
  const { inputs } = await plugin.check(types.config, { gatewayApi: gateway.gatewayApi, config });
  expect(isSecret(inputs.config)).toBe(true);
});

test("a refusal is said with its code, and nothing that the plugin says holds a secret", async () => {
  gateway.fault = ({ command, body }) =>
    command === "gateway-create-k8s-auth-config"
      ? { status: 400, body: JSON.stringify({ error: `what is ${JSON.stringify(body)}?` }) }
      : undefined;
  const given = { gatewayApi: gateway.gatewayApi, caPem: gateway.caPem, config: secretOf(config) };
  await expect(plugin.create(types.config, given)).rejects.toThrow(/AKEYLESS_INVALID: .*status 400/);
  gateway.fault = () => undefined;
  const said = JSON.stringify([plugin.traffic, plugin.output, engine.lines]);
  for (const secret of secrets) expect(said).not.toContain(secret);
  expect(said).not.toMatch(/"t-[0-9a-f]{24}/);
});
