import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { akeylessAuthMethod } from "../../../provider/akeyless/authMethod.ts";
import { akeylessCertificate, type CertificateInputs } from "../../../provider/akeyless/certificate.ts";
import { akeylessRoleAssociation, type RoleAssociationInputs } from "../../../provider/akeyless/roleAssociation.ts";
import { makeCertificate } from "../../../sandbox/certificate.ts";
import { AkeylessTestGateway } from "../../../sandbox/gateways/akeyless/index.ts";
import { contextFor, failureOf, inputsOf, keyPair } from "./akeylessFixture.ts";

const pair = keyPair();
let gateway: AkeylessTestGateway;

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
});
beforeEach(() => {
  gateway.fault = () => undefined;
  gateway.calls.length = 0;
  gateway.account.methods.clear();
  gateway.account.items.clear();
  gateway.account.associations.clear();
  gateway.account.roles.clear();
});
afterAll(() => gateway[Symbol.asyncDispose]());

function operate() {
  return contextFor(gateway.env).context;
}

describe("a registered certificate", () => {
  const resource = akeylessCertificate;
  const first = makeCertificate({ commonName: "reviewer" });
  const second = makeCertificate({ commonName: "reviewer" });
  const named = (more: Partial<CertificateInputs> = {}): CertificateInputs => ({
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    name: "/k8s/shop/certificate",
    certificatePem: first.certPem,
    expirationEventIn: ["30", "7"],
    ...more,
  });
  const made = async (given: CertificateInputs) => {
    const { id, outputs } = await resource.create(given, operate());
    gateway.calls.length = 0;
    return { id, inputs: given, outputs };
  };

  test("is sent as PEM with its days, and without a key", async () => {
    const { id, outputs } = await resource.create(named(), operate());
    expect(gateway.calls.find(({ command }) => command === "create-certificate")?.body).toEqual({
      name: "/k8s/shop/certificate",
      "certificate-data": Buffer.from(first.certPem.replaceAll("\r\n", "\n")).toString("base64"),
      format: "pem",
      "expiration-event-in": ["30", "7"],
    });
    expect(outputs).toMatchObject({ drift: [], fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}/) });
    expect(await resource.read({ id, inputs: named(), outputs }, operate())).toEqual({ id, outputs });
  });

  test("that was renewed becomes the item's new value", async () => {
    const state = await made(named());
    const renewed = named({ certificatePem: second.certPem });
    expect(await resource.diff(state, inputsOf(renewed), operate())).toEqual({ certificatePem: "update" });
    await resource.update(state, renewed, operate());
    expect(gateway.commands).toContain("update-certificate-value");
    expect(gateway.account.items.get(state.id)?.pem.trim()).toBe(second.certPem.replaceAll("\r\n", "\n").trim());
  });

  test("that somebody changed shows on refresh and is healed", async () => {
    const state = await made(named());
    gateway.account.items.set(state.id, { pem: second.certPem, days: ["1"] });
    const read = await resource.read(state, operate());
    expect(read?.outputs.drift).toEqual(["certificatePem", "expirationEventIn"]);
    const outputs = await resource.update(state, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
    gateway.account.items.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.delete?.(state, operate());
  });

  test("of a killed run is taken over, another one's is not", async () => {
    await made(named());
    expect((await made(named({ expirationEventIn: ["3"] }))).id).toBe("/k8s/shop/certificate");
    expect(gateway.account.items.get("/k8s/shop/certificate")?.days).toEqual(["3"]);
    const taken = await failureOf(resource.create(named({ certificatePem: second.certPem }), operate()));
    expect(taken.code).toBe("AKEYLESS_NAME_TAKEN");
  });

  test.each([
    ["a private key", { certificatePem: `${first.certPem}${first.keyPem}` }, "certificatePem"],
    ["no certificate", { certificatePem: "abc" }, "certificatePem"],
    ["no number of days", { expirationEventIn: ["30d"] }, "expirationEventIn"],
  ])("with %s is refused before anything is asked", async (_what, wrong, property) => {
    const failures = (await resource.check?.(inputsOf(named(wrong)))) ?? [];
    expect(failures.map((failure) => failure.property)).toEqual([property]);
    expect(JSON.stringify(failures)).not.toContain("BEGIN RSA");
  });
});

describe("a role association", () => {
  const resource = akeylessRoleAssociation;
  const named = (more: Partial<RoleAssociationInputs> = {}): RoleAssociationInputs => ({
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    roleName: "/shop/reader",
    authMethodName: "/k8s/shop",
    subClaims: { namespace: ["shop", "till"], service_account_name: "shop" },
    caseSensitive: true,
    ...more,
  });
  const made = async (given: RoleAssociationInputs) => {
    const { id, outputs } = await resource.create(given, operate());
    return { id, inputs: given, outputs };
  };
  const only = () => [...gateway.account.associations.values()][0] ?? expect.fail("there is none");

  beforeEach(async () => {
    for (const role of ["/shop/reader", "/shop/writer"]) gateway.account.roles.add(role);
    for (const name of ["/k8s/shop", "/k8s/till"]) {
      const { publicKey } = pair;
      await akeylessAuthMethod.create({ apiUrl: gateway.publicApi, caPem: gateway.caPem, name, publicKey }, operate());
    }
  });

  test("carries its claims, several values of one joined", async () => {
    const state = await made(named());
    expect(only()).toMatchObject({ claims: { namespace: ["shop", "till"], service_account_name: ["shop"] } });
    expect(await resource.read(state, operate())).toEqual({ id: state.id, outputs: state.outputs });
    await resource.delete?.(state, operate());
    expect(gateway.account.associations.size).toBe(0);
    await resource.delete?.(state, operate());
  });

  test.each([
    "service_account_name",
    "service_account_uid",
    "service_account_secret_name",
    "namespace",
    "aud",
    "pod_name",
    "pod_uid",
  ])("can ask for the claim %s", async (claim) => {
    const given = named({ subClaims: { [claim]: "a" } });
    expect(await resource.check?.(inputsOf(given))).toEqual([]);
    const state = await made(given);
    expect(only().claims).toEqual({ [claim]: ["a"] });
    expect(await resource.read(state, operate())).toEqual({ id: state.id, outputs: state.outputs });
  });

  test("changes claims in place, and loses those no longer asked for", async () => {
    const state = await made(named());
    const outputs = await resource.update(state, named({ subClaims: { aud: "x" }, caseSensitive: false }), operate());
    expect(outputs.assocId).toBe(state.outputs.assocId);
    expect(only()).toMatchObject({ claims: { aud: ["x"] }, caseSensitive: false });
  });

  test("stays when its method is only renamed", async () => {
    const state = await made(named());
    const method = gateway.account.methods.get("/k8s/shop") ?? expect.fail();
    gateway.account.methods.delete("/k8s/shop");
    method.name = "/k8s/renamed";
    gateway.account.methods.set("/k8s/renamed", method);
    const outputs = await resource.update(state, named({ authMethodName: "/k8s/renamed" }), operate());
    expect(outputs.assocId).toBe(state.outputs.assocId);
    expect(gateway.account.associations.size).toBe(1);
  });

  test.each([
    ["role", { roleName: "/shop/writer" }],
    ["method", { authMethodName: "/k8s/till" }],
  ])("with another %s is made before the old one goes", async (_what, change) => {
    const state = await made(named());
    gateway.calls.length = 0;
    const outputs = await resource.update(state, named(change), operate());
    expect(outputs.assocId).not.toBe(state.outputs.assocId);
    expect(gateway.commands.filter((command) => /assoc/.test(command))).toEqual(["assoc-role-am", "delete-assoc"]);
    expect(gateway.account.associations.size).toBe(1);
  });

  test("that somebody changed or deleted shows on refresh", async () => {
    const state = await made(named());
    only().claims = { namespace: ["kube-system"] };
    const read = await resource.read(state, operate());
    expect(read?.outputs.drift).toEqual(["subClaims"]);
    const outputs = await resource.update(state, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
    gateway.account.associations.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
  });

  test("that exists is taken over if its claims are the same, and else left alone", async () => {
    const state = await made(named());
    expect((await made(named())).outputs.assocId).toBe(state.outputs.assocId);
    const taken = await failureOf(resource.create(named({ subClaims: {} }), operate()));
    expect(taken.code).toBe("AKEYLESS_NAME_TAKEN");
  });

  test("with a claim that no login has is refused before anything is asked", async () => {
    const subClaims = { namespaces: "shop" } as RoleAssociationInputs["subClaims"];
    const failures = (await resource.check?.(inputsOf(named({ subClaims })))) ?? [];
    expect(failures[0]?.reason).toMatch(/"namespaces" is not a claim.*service_account_name/);
    const empty = (await resource.check?.(inputsOf(named({ subClaims: { namespace: [] } })))) ?? [];
    expect(empty).toHaveLength(1);
  });
});
