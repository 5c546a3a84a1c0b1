import { beforeEach, describe, expect, test } from "vitest";
import { akeylessAuthMethod } from "../../../../provider/akeyless/authMethod.ts";
import { akeylessRoleAssociation, type RoleAssociationInputs } from "../../../../provider/akeyless/roleAssociation.ts";
import { apiOf, contextFor, failureOf, inputsOf, keyPair, useGateway } from "../../../support/akeyless.ts";
import { claimsOfLogins } from "../../../support/gateways/akeylessClaims.ts";

const pair = keyPair();
const gateway = await useGateway();

function operate() {
  return contextFor(gateway.env).context;
}

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

  test.each(claimsOfLogins)("can ask for the claim %s", async (claim) => {
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
