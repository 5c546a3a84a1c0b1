import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AkeylessTestGateway } from "../../../../demo/akeyless/index.ts";
import type { Item } from "../../../../demo/akeyless/items.ts";
import { akeylessAuthMethod } from "../../../../provider/akeyless/authMethod.ts";
import { akeylessCertificate, type CertificateInputs } from "../../../../provider/akeyless/certificate.ts";
import { akeylessRoleAssociation, type RoleAssociationInputs } from "../../../../provider/akeyless/roleAssociation.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { apiOf, contextFor, failureOf, inputsOf, keyPair } from "./fixture.ts";

const pair = keyPair();
let gateway: AkeylessTestGateway;

beforeAll(async () => {
  gateway = await AkeylessTestGateway.start();
});
beforeEach(() => {
  gateway.fault = () => undefined;
  gateway.calls.length = 0;
  gateway.permits = () => true;
  gateway.account.clear();
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

  test.each<[string, Partial<Item>]>([
    ["certificatePem", { pem: second.certPem }],
    ["expirationEventIn", { days: ["1"] }],
    ["expirationEventIn", { days: [] }],
    ["description", { description: "theirs" }],
    ["tags", { tags: ["theirs"] }],
    ["deleteProtection", { deleteProtection: true }],
  ])("whose %s changed outside the stack shows on refresh and is healed", async (field, change) => {
    const state = await made(named({ description: "ours", tags: ["prod", "shop"], deleteProtection: false }));
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    Object.assign(gateway.account.items.get(state.id) ?? expect.fail(), change);
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([field]);
    const outputs = await resource.update(state, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
  });

  test("that is gone shows on refresh, is created by the next update, and can be deleted twice", async () => {
    const state = await made(named());
    gateway.account.items.clear();
    expect(await resource.read(state, operate())).toBeUndefined();
    await resource.update(state, state.inputs, operate());
    expect(gateway.account.items.has(state.id)).toBe(true);
    await resource.delete?.(state, operate());
    await resource.delete?.(state, operate());
    expect(gateway.account.items.size).toBe(0);
  });

  test("changes its description and tags without a new version, and loses those no longer asked for", async () => {
    const state = await made(named({ description: "ours", tags: ["prod"] }));
    const changed = named({ tags: ["shop"] });
    expect(await resource.diff(state, inputsOf(changed), operate())).toEqual({ description: "update", tags: "update" });
    await resource.update(state, changed, operate());
    expect(gateway.account.items.get(state.id)).toMatchObject({ description: "", tags: ["shop"], version: 1 });
  });

  test.each(["chain", "nothing"] as const)(
    "whose description shows %s of it is compared by another way, and taken over after a killed run",
    async (shows) => {
      const state = await made(named());
      gateway.account.items.shows = shows;
      expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
      expect((await made(named())).id).toBe(state.id);
      const taken = await failureOf(resource.create(named({ certificatePem: second.certPem }), operate()));
      expect(taken.code).toBe("AKEYLESS_NAME_TAKEN");
      Object.assign(gateway.account.items.get(state.id) ?? expect.fail(), { pem: second.certPem });
      expect((await resource.read(state, operate()))?.outputs.drift).toEqual(["certificatePem"]);
    },
  );

  test("whose certificate may not be read is no drift, and not taken over", async () => {
    const state = await made(named());
    gateway.account.items.shows = "nothing";
    gateway.permits = ({ command }) => command !== "get-certificate-value";
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    const taken = await failureOf(resource.create(named(), operate()));
    expect(taken).toMatchObject({ code: "AKEYLESS_NAME_TAKEN", message: expect.stringContaining("does not show") });
    await resource.update(state, named({ certificatePem: second.certPem }), operate());
    expect(gateway.account.items.get(state.id)?.pem.trim()).toBe(second.certPem.replaceAll("\r\n", "\n").trim());
  });

  describe("warns that its notices may have no recipient", () => {
    const covering = { enabled: true, types: ["certificate-pending-expiration"], paths: ["/k8s/*"] };
    const warned = async (eventForwarder?: string) => {
      const { context, lines } = contextFor(gateway.env);
      await resource.create(named({ eventForwarder }), context);
      return lines.join("\n");
    };

    test.each([
      ["is not named", undefined, undefined, /no Event Forwarder is named.*set eventForwarder/],
      ["does not exist", undefined, "mail", /"mail" does not exist/],
      ["is disabled", { ...covering, enabled: false }, "mail", /"mail" is disabled/],
      ["sends other events", { ...covering, types: ["request-access"] }, "mail", /certificate-pending-expiration/],
      ["covers other paths", { ...covering, paths: ["/other/*"] }, "mail", /does not cover its path/],
    ])("when the Event Forwarder %s", async (_what, forwarder, name, warning) => {
      if (forwarder) gateway.account.forwarders.set("/mail", forwarder);
      expect(await warned(name)).toMatch(warning);
    });

    test("when the caller may not read it", async () => {
      gateway.permits = ({ command }) => command !== "event-forwarder-get";
      expect(await warned("mail")).toMatch(/could not be checked.*AKEYLESS|could not be checked.*does not permit/);
    });

    test("and not when it delivers them, or when there are none", async () => {
      gateway.account.forwarders.set("/mail", covering);
      expect(await warned("mail")).toBe("");
      const { context, lines } = contextFor(gateway.env);
      await resource.create(named({ name: "/other", expirationEventIn: [] }), context);
      expect(lines).toEqual([]);
    });
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
    accessId: accessIdOf("/k8s/shop"),
    subClaims: { namespace: ["shop", "till"], service_account_name: "shop" },
    caseSensitive: true,
    ...more,
  });
  const made = async (given: RoleAssociationInputs) => {
    const { id, outputs } = await resource.create(given, operate());
    return { id, inputs: given, outputs };
  };
  const accessIdOf = (name: string) => gateway.account.methods.get(name)?.accessId ?? expect.fail(name);
  const only = () => [...gateway.account.associations.values()][0] ?? expect.fail("there is none");

  beforeEach(async () => {
    for (const role of ["/shop/reader", "/shop/writer"]) gateway.account.roles.add(role);
    for (const name of ["/k8s/shop", "/k8s/till"]) {
      const { publicKey } = pair;
      await akeylessAuthMethod.create({ apiUrl: gateway.publicApi, caPem: gateway.caPem, name, publicKey }, operate());
    }
  });

  test("is answered, with its method, by paths without their leading slash, as the service answers them", async () => {
    await made(named());
    const role = await apiOf(gateway).call("/get-role", { name: "/shop/reader" }, "read");
    expect(role).toMatchObject({
      role_name: "shop/reader",
      role_auth_methods_assoc: [{ auth_method_name: "k8s/shop", auth_method_access_id: accessIdOf("/k8s/shop") }],
    });
    const method = await apiOf(gateway).call("/auth-method-get", { name: "/k8s/shop" }, "read");
    expect(method).toMatchObject({ auth_method_name: "k8s/shop" });
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
    "config_name",
    "config_id",
    "client_ip",
    "client_unique_id",
    "k8s_id",
    "use_pod_id_in_unique_id",
  ])("can ask for the claim %s", async (claim) => {
    const given = named({ subClaims: { [claim]: "a" } });
    expect(await resource.check?.(inputsOf(given))).toEqual([]);
    const { context, lines } = contextFor(gateway.env);
    const { id, outputs } = await resource.create(given, context);
    expect(lines).toEqual([]);
    const state = { id, inputs: given, outputs };
    expect(only().claims).toEqual({ [claim]: ["a"] });
    expect(await resource.read(state, operate())).toEqual({ id: state.id, outputs: state.outputs });
  });

  test("changes claims in place, and loses those no longer asked for", async () => {
    const state = await made(named());
    const outputs = await resource.update(state, named({ subClaims: { aud: "x" }, caseSensitive: false }), operate());
    expect(outputs.assocId).toBe(state.outputs.assocId);
    expect(only()).toMatchObject({ claims: { aud: ["x"] }, caseSensitive: false });
  });

  test.each([
    ["role", { roleName: "shop/reader" }],
    ["method", { authMethodName: "k8s/shop" }],
  ])("stays when its %s is only spelt without the leading slash", async (_what, spelling) => {
    const state = await made(named());
    const outputs = await resource.update(state, named({ ...spelling, subClaims: { namespace: "shop" } }), operate());
    expect(outputs.assocId).toBe(state.outputs.assocId);
    expect(only().claims).toEqual({ namespace: ["shop"] });
  });

  test("is created again for a method that took the name of a deleted one", async () => {
    const state = await made(named());
    gateway.account.commands["auth-method-delete"]?.({ name: "/k8s/shop" });
    gateway.account.commands["auth-method-create-k8s"]?.({ name: "/k8s/shop" });
    const recreated = named();
    expect(await resource.diff(state, inputsOf(recreated), operate())).toEqual({ accessId: "update" });
    const outputs = await resource.update(state, recreated, operate());
    expect(only()).toMatchObject({ id: outputs.assocId, accessId: recreated.accessId });
  });

  test("stays when its method is only renamed", async () => {
    const state = await made(named());
    gateway.account.commands["auth-method-update-k8s"]?.({ name: "/k8s/shop", "new-name": "/k8s/renamed" });
    const outputs = await resource.update(state, { ...state.inputs, authMethodName: "/k8s/renamed" }, operate());
    expect(outputs.assocId).toBe(state.outputs.assocId);
    expect(gateway.account.associations.size).toBe(1);
  });

  test.each([
    ["role", () => ({ roleName: "/shop/writer" })],
    ["method", () => ({ authMethodName: "/k8s/till", accessId: accessIdOf("/k8s/till") })],
  ])("with another %s is created before the old one is deleted", async (_what, change) => {
    const state = await made(named());
    gateway.calls.length = 0;
    const outputs = await resource.update(state, named(change()), operate());
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

  test("of a killed run is taken over, so that the role is not granted twice", async () => {
    const state = await made(named());
    expect((await made(named())).outputs.assocId).toBe(state.outputs.assocId);
    expect(gateway.account.associations.size).toBe(1);
  });

  test("with other claims stands beside one that exists, as the service allows it", async () => {
    const state = await made(named());
    const other = await made(named({ subClaims: { namespace: "till" } }));
    expect(other.outputs.assocId).not.toBe(state.outputs.assocId);
    expect(gateway.account.associations.get(state.outputs.assocId)?.claims).toEqual({
      namespace: ["shop", "till"],
      service_account_name: ["shop"],
    });
  });

  test("that the service refuses beside one with other claims says so", async () => {
    gateway.fault = ({ command }) =>
      command === "assoc-role-am" ? { status: 409, body: '{"error":"AlreadyExists"}' } : undefined;
    const { code, message } = await failureOf(resource.create(named(), operate()));
    expect(code).toBe("AKEYLESS_NAME_TAKEN");
    expect(message).toMatch(/already associated.*with other claims.*Delete the association/);
  });

  test.each([
    [{ namespace: "shop-*" }, { namespace: ["shop-*"] }],
    [{ aud: "a AND b" }, { aud: ["a AND  b"] }],
    [{ namespace: ["b", "a"] }, { namespace: ["a", "b"] }],
  ])("with %j is no drift when it is answered as %j", async (subClaims, answered) => {
    const state = await made(named({ subClaims }));
    only().claims = answered;
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
  });

  test("whose values another operator connects is drift", async () => {
    const state = await made(named({ subClaims: { aud: "a AND b" } }));
    only().claims = { aud: ["a OR b"] };
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual(["subClaims"]);
  });

  test("with an unknown claim is a warning, in previews too", async () => {
    const given = named({ subClaims: { namespaces: "shop" } });
    expect(await resource.check?.(inputsOf(given))).toEqual([]);
    const warning = /"namespaces", which is not a known claim.*service_account_name/;
    const preview = contextFor(gateway.env);
    await resource.previewCreate(inputsOf(given), preview.context);
    expect(preview.lines.join()).toMatch(warning);
    const up = contextFor(gateway.env);
    await resource.create(given, up.context);
    expect(up.lines.join()).toMatch(warning);
    expect(only().claims).toEqual({ namespaces: ["shop"] });
  });

  test("with a claim that has no value is refused before anything is asked", async () => {
    const empty = (await resource.check?.(inputsOf(named({ subClaims: { namespace: [] } })))) ?? [];
    expect(empty).toHaveLength(1);
  });
});
