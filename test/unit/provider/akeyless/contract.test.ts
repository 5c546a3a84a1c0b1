/** Every body that the plugin sends and every answer that the stand-in gives, against the official SDK's models. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { AkeylessTestGateway } from "../../../../demo/akeyless/index.ts";
import { akeylessAuthMethod } from "../../../../provider/akeyless/authMethod.ts";
import { akeylessCertificate } from "../../../../provider/akeyless/certificate.ts";
import { akeylessGatewayAuthConfig } from "../../../../provider/akeyless/index.ts";
import { akeylessRole } from "../../../../provider/akeyless/role.ts";
import { akeylessRoleAssociation } from "../../../../provider/akeyless/roleAssociation.ts";
import type { AnyResource } from "../../../../provider/protocol/resource.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { answerFaults, bodyFaults, contract } from "../../../contract/akeyless.ts";
import {
  accountConfig,
  certificateConfig,
  contextFor,
  keyPair,
  rancherConfig,
  tokenConfig,
} from "../../../support/akeyless.ts";

const { publicKey, signingKey } = keyPair();
const certificate = () => makeCertificate({ commonName: "reviewer" }).certPem;
let gateway: AkeylessTestGateway;

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
  await runAll();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** The life of an object: created, left by a killed run and taken over, refreshed, changed, deleted. */
async function live(resource: unknown, given: object, changed: object): Promise<Record<string, unknown>> {
  const { create, read, update, delete: remove } = resource as AnyResource;
  const { context } = contextFor(gateway.env);
  const inputs = given as Record<string, unknown>;
  await create(inputs, context);
  const { id, outputs } = await create(inputs, context);
  await read({ id, inputs, outputs }, context);
  const after = await update({ id, inputs, outputs }, { ...inputs, ...changed }, context);
  await remove?.({ id, inputs: { ...inputs, ...changed }, outputs: after }, context);
  return outputs;
}

async function runAll(): Promise<void> {
  const api = { apiUrl: gateway.publicApi, caPem: gateway.caPem };
  const method = {
    ...api,
    name: "/k8s/shop",
    publicKey,
    boundNamespaces: ["shop"],
    boundPodNames: ["shop-1"],
    boundServiceAccountNames: ["shop"],
    audience: "akeyless",
    forceSubClaims: true,
    boundIps: ["10.0.0.0/8"],
    gatewayBoundIps: ["192.0.2.1/32"],
    accessExpires: 1_900_000_000,
    jwtTtl: 30,
    auditLogsClaims: ["namespace"],
    expirationEventIn: ["30"],
    allowedClientTypes: ["sdk"],
    productTypes: ["sm"],
    description: "for the shop",
    deleteProtection: false,
  };
  await live(akeylessAuthMethod, method, { name: "/k8s/till", boundNamespaces: ["till"] });
  const generated = await akeylessAuthMethod.create(
    { ...api, name: "/k8s/generated" },
    contextFor(gateway.env).context,
  );
  const state = { id: generated.id, inputs: { ...api, name: "/k8s/generated" }, outputs: generated.outputs };
  await akeylessAuthMethod.update(state, { ...state.inputs, jwtTtl: 5 }, contextFor(gateway.env).context);

  const where = { gatewayApi: gateway.gatewayApi, caPem: gateway.caPem };
  for (const config of [tokenConfig, certificateConfig, rancherConfig, accountConfig]) {
    const changed = { ...config(signingKey), "token-exp": 600, "k8s-issuer": "https://other.example.com" };
    await live(akeylessGatewayAuthConfig, { ...where, config: config(signingKey) }, { config: changed });
  }

  const item = {
    ...api,
    name: "/k8s/certificate",
    certificatePem: certificate(),
    expirationEventIn: ["30", "7"],
    eventForwarder: "/mail",
    description: "reviewer",
    tags: ["a", "b"],
    deleteProtection: false,
  };
  gateway.account.forwarders.set("/mail", { enabled: true, types: ["certificate-pending-expiration"], paths: ["/*"] });
  gateway.account.items.shows = "chain";
  await live(akeylessCertificate, item, { certificatePem: certificate(), tags: ["b", "c"], description: "ours" });
  gateway.account.items.shows = "nothing";
  await live(akeylessCertificate, item, { certificatePem: certificate() });

  const role = { ...api, name: "/shop/reader", rules: [{ path: "/shop/*", capabilities: ["read"] }] };
  const rules = [{ path: "/till/*", capabilities: ["list"] }];
  await live(akeylessRole, { ...role, description: "reads" }, { name: "/shop/writer", rules, deleteProtection: false });
  gateway.account.roles.add("/shop/reader");
  const association = {
    ...api,
    roleName: "/shop/reader",
    authMethodName: "/k8s/generated",
    accessId: generated.outputs.accessId,
    subClaims: { namespace: ["shop", "till"] },
    caseSensitive: true,
  };
  await live(akeylessRoleAssociation, association, { subClaims: { aud: "a" }, caseSensitive: false });
}

test("the list of the SDK's fields names its version and date", () => {
  expect(contract).toMatchObject({
    package: "akeyless",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    published: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
  });
});

test("every command of the list is called", () => {
  const called = new Set(gateway.commands);
  expect(Object.keys(contract.routes).filter((command) => !called.has(command))).toEqual([]);
});

test("no body has a field, a type or a gap that the SDK's models do not have", () => {
  const faults = gateway.calls.flatMap(({ command, body }) => bodyFaults(command, body));
  expect([...new Set(faults)]).toEqual([]);
});

test("no answer that is read has a field or a type that the SDK's models do not have", () => {
  const faults = gateway.calls.flatMap(({ command, answer }) => (answer ? answerFaults(command, answer) : []));
  expect([...new Set(faults)]).toEqual([]);
});

test("a wrong name, type or gap is found", () => {
  expect(bodyFaults("assoc-role-am", { "role-name": "/r", "am-nam": "/m", "case-sensitive": true })).toEqual([
    "assoc-role-am: am-name is missing",
    "assoc-role-am: am-nam is not a field of AssocRoleAuthMethod",
    "assoc-role-am.case-sensitive is boolean, not string",
  ]);
  expect(answerFaults("get-role", { role_auth_methods_assoc: [{ auth_method_sub_claims: { aud: "a" } }] })).toEqual([
    "get-role.role_auth_methods_assoc.auth_method_sub_claims.aud is not a list",
  ]);
});
