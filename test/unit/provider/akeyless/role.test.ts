import { describe, expect, test } from "vitest";
import { akeylessRole, type RoleInputs } from "../../../../provider/akeyless/role.ts";
import { contextFor, failureOf, inputsOf, useGateway } from "../../../support/akeyless.ts";

const resource = akeylessRole;
const denial = { path: "/secrets-of-administrators/*", type: "item-rule", capabilities: ["deny"] };
const gateway = await useGateway();

const operate = () => contextFor(gateway.env).context;
const role = (name = "/shop/reader") => gateway.account.roles.get(name) ?? expect.fail(`there is no role ${name}`);

function named(more: Partial<RoleInputs> = {}): RoleInputs {
  return {
    apiUrl: gateway.publicApi,
    caPem: gateway.caPem,
    name: "/shop/reader",
    rules: [
      { path: "/shop/*", capabilities: ["read", "list"] },
      { path: "/k8s/shop", capabilities: ["read"], type: "auth-method-rule" },
    ],
    ...more,
  };
}

async function made(given: RoleInputs) {
  const { id, outputs } = await resource.create(given, operate());
  gateway.calls.length = 0;
  return { id, inputs: given, outputs };
}

describe("a role", () => {
  test("is created with its rules, and read back without a difference", async () => {
    const state = await made(named({ description: "for the shop" }));
    expect(role()).toMatchObject({
      description: "for the shop",
      rules: [
        { path: "/shop/*", type: "item-rule", capabilities: ["read", "list"] },
        { path: "/k8s/shop", type: "auth-method-rule", capabilities: ["read"] },
      ],
    });
    expect(await resource.read(state, operate())).toEqual({ id: state.id, outputs: state.outputs });
    await resource.delete?.(state, operate());
    await resource.delete?.(state, operate());
    expect(gateway.account.roles.size).toBe(0);
  });

  test("loses the rights that are no longer asked for", async () => {
    const state = await made(named());
    const narrower = named({ rules: [{ path: "/shop/*", capabilities: ["read"] }] });
    expect(await resource.diff(state, inputsOf(narrower), operate())).toEqual({ rules: "update" });
    await resource.update(state, narrower, operate());
    expect(role().rules).toEqual([{ path: "/shop/*", type: "item-rule", capabilities: ["read"] }]);
  });

  test("that is renamed keeps its associations, also when a run was killed in between", async () => {
    const state = await made(named());
    gateway.account.methods.commands["auth-method-create-k8s"]?.({ name: "/m" });
    gateway.account.roles.commands["assoc-role-am"]?.({ "role-name": "/shop/reader", "am-name": "/m" });
    const renamed = named({ name: "/till/reader" });
    expect(await resource.diff(state, inputsOf(renamed), operate())).toEqual({ name: "update" });
    gateway.account.roles.commands["update-role"]?.({ name: "/shop/reader", "new-name": "/till/reader" });
    await resource.update(state, renamed, operate());
    expect([...gateway.account.roles.keys()]).toEqual(["/till/reader"]);
    expect([...gateway.account.associations.values()].map((one) => one.role)).toEqual(["/till/reader"]);
  });

  test.each([
    ["rules", () => Object.assign(role(), { rules: [] })],
    ["rules", () => role().rules.concat({ path: "/*", type: "item-rule", capabilities: ["read"] })],
    ["description", () => Object.assign(role(), { description: "theirs" })],
    ["deleteProtection", () => Object.assign(role(), { deleteProtection: true })],
  ])("whose %s changed outside the stack shows on refresh and is healed", async (field, change) => {
    const state = await made(named({ description: "ours", deleteProtection: false }));
    const changed = change();
    if (Array.isArray(changed)) role().rules = changed;
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([field]);
    const outputs = await resource.update(state, state.inputs, operate());
    expect((await resource.read({ ...state, outputs }, operate()))?.outputs.drift).toEqual([]);
    expect(role().rules).toHaveLength(2);
  });

  test("keeps the denials that administrators add to every role, and rules of other kinds", async () => {
    gateway.account.roles.restricted = [denial];
    const state = await made(named());
    const report = { path: "/*", type: "reports-rule", capabilities: ["read"] };
    role().rules = [...role().rules, report];
    expect((await resource.read(state, operate()))?.outputs.drift).toEqual([]);
    await resource.update(state, named({ rules: [{ path: "/shop/*", capabilities: ["read"] }] }), operate());
    expect(role().rules).toEqual(expect.arrayContaining([denial, report]));
  });

  test("of a killed run is taken over", async () => {
    gateway.account.roles.restricted = [denial];
    gateway.fault = ({ command }) => (command === "set-role-rule" ? "reset" : undefined);
    expect((await failureOf(resource.create(named(), operate()))).code).toBe("AKEYLESS_RESET");
    gateway.fault = () => undefined;
    await resource.create(named(), operate());
    expect(role().rules).toHaveLength(3);
  });

  test.each([
    [
      "has another right",
      () => Object.assign(role(), { rules: [{ path: "/*", type: "item-rule", capabilities: [] }] }),
    ],
    [
      "is granted to somebody",
      () => {
        gateway.account.methods.commands["auth-method-create-k8s"]?.({ name: "/m" });
        gateway.account.roles.commands["assoc-role-am"]?.({ "role-name": "/shop/reader", "am-name": "/m" });
      },
    ],
  ])("that exists and %s is left alone", async (_what, prepare) => {
    gateway.account.roles.add("/shop/reader");
    prepare();
    const before = structuredClone(role());
    expect((await failureOf(resource.create(named(), operate()))).code).toBe("AKEYLESS_NAME_TAKEN");
    expect(role()).toEqual(before);
  });

  test("whose rules the service does not keep is an error", async () => {
    gateway.fault = ({ command, body }) => {
      if (command === "set-role-rule") Object.assign(body, { capability: ["deny"] });
      return undefined;
    };
    const { code, message } = await failureOf(resource.create(named(), operate()));
    gateway.fault = () => undefined;
    expect(code).toBe("AKEYLESS_NOT_TAKEN");
    expect(message).toMatch(/item-rule \/shop\/\*/);
  });

  test.each([
    ["an unknown type", [{ path: "/a", capabilities: ["read"], type: "secret-rule" }], /"secret-rule" is not a type/],
    ["an unknown capability", [{ path: "/a", capabilities: ["write"] }], /"write" is not a capability/],
    ["no capability", [{ path: "/a", capabilities: [] }], /has no capability/],
    [
      "two rules for a path",
      [
        { path: "/a", capabilities: ["read"] },
        { path: "a", capabilities: ["list"] },
      ],
      /two rules for item-rule \/a/,
    ],
  ])("with %s is refused before anything is asked", async (_what, rules, reason) => {
    const failures = (await resource.check?.(inputsOf(named({ rules })))) ?? [];
    expect(failures.map((failure) => failure.reason).join()).toMatch(reason);
  });
});
