/** Roles that logins get, by their claims. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { claimsOfLogins } from "../../support/gateways/akeylessClaims.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf } from "../../support/inventory.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;

beforeAll(async () => {
  const kubeconfig = workerKubeconfig();
  admin = await adminOf(kubeconfig);
  workloads = await Workloads.make(admin);
  pushing = await PushingStack.make("akeyless-roles", kubeconfig, {
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    akeylessRoles: { "/shop/reader": { service_account_name: "shop" } },
  });
  pushing.gateway.account.roles.add("/shop/reader");
  await pushing.stack.up();
});

afterAll(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

test("a role is given by each claim that a token carries, and not by another value of it", async () => {
  const [association = expect.fail("there is no role")] = pushing.gateway.account.associations.values();
  const { claims: asked } = association;
  const seen = new Set<string>();
  for (const jwt of [await workloads.token("shop", { pod: "shop-1" }), await workloads.secretToken("shop")]) {
    const carried = Object.entries((await pushing.logIn(jwt)).claims).map(([claim, value]) => [
      claim,
      [value].flat()[0],
    ]);
    for (const [claim = "", value] of carried.filter(([, first]) => first !== undefined)) {
      seen.add(claim);
      association.claims = { [claim]: [value ?? ""] };
      expect((await pushing.logIn(jwt)).roles, claim).toEqual(["/shop/reader"]);
      association.claims = { [claim]: ["another"] };
      expect((await pushing.logIn(jwt)).roles, claim).toEqual([]);
    }
  }
  association.claims = asked;
  for (const claim of claimsOfLogins) expect(seen).toContain(claim);
});

describe("a role whose claims the next up tightens", () => {
  test("is refused to a login that the old claims let in, and keeps its association", async () => {
    const { stack, gateway } = pushing;
    const till = await workloads.token("till");
    await stack.configure({ akeylessRoles: { "/shop/reader": { namespace: workloads.namespace } } });
    await stack.up();
    const before = [...gateway.account.associations.keys()];
    expect((await pushing.logIn(till)).roles).toEqual(["/shop/reader"]);

    await stack.configure({ akeylessRoles: { "/shop/reader": { service_account_name: "shop" } } });
    await stack.up();
    expect((await pushing.logIn(till)).roles).toEqual([]);
    expect((await pushing.logIn(await workloads.token("shop"))).roles).toEqual(["/shop/reader"]);
    expect([...gateway.account.associations.keys()]).toEqual(before);
  });

  test("gives a login what wildcards and operators in its claims match", async () => {
    const { stack } = pushing;
    const rolesOf = async (account: string) => (await pushing.logIn(await workloads.token(account))).roles;
    await stack.configure({ akeylessRoles: { "/shop/reader": { service_account_name: "sh?p OR till-*" } } });
    await stack.up();
    expect(await rolesOf("shop")).toEqual(["/shop/reader"]);
    expect(await rolesOf("till-1")).toEqual(["/shop/reader"]);
    expect(await rolesOf("till")).toEqual([]);
    await stack.configure({ akeylessRoles: { "/shop/reader": { service_account_name: "shop" } } });
    await stack.up();
  });

  test("is the same role when it is spelt without its leading slash", async () => {
    const { stack, gateway } = pushing;
    const before = [...gateway.account.associations.keys()];
    await stack.configure({ akeylessRoles: { "shop/reader": { service_account_name: "shop" } } });
    await stack.up();
    expect(stack.steps).toEqual([]);
    expect([...gateway.account.associations.keys()]).toEqual(before);
    await stack.configure({ akeylessRoles: { "/shop/reader": { service_account_name: "shop" } } });
    await stack.up();
  });
});

test("a role with rules is created with them, follows them, and is deleted when it is no longer listed", async () => {
  const { stack, gateway } = pushing;
  const akeylessRoles = { "/shop/reader": { service_account_name: "shop" } };
  const rules = (...capabilities: string[]) => ({ "/shop/till": [{ path: "/shop/*", capabilities }] });
  const till = await workloads.token("till");
  await stack.configure({
    akeylessRoles: { ...akeylessRoles, "/shop/till": { service_account_name: "till" } },
    akeylessRoleRules: rules("read"),
  });
  await stack.up();
  expect(gateway.account.roles.get("/shop/till")?.rules).toEqual([
    { path: "/shop/*", type: "item-rule", capabilities: ["read"] },
  ]);
  expect((await pushing.logIn(till)).roles).toEqual(["/shop/till"]);

  await stack.configure({ akeylessRoleRules: rules("read", "list") });
  await stack.up();
  expect(gateway.account.roles.get("/shop/till")?.rules).toMatchObject([{ capabilities: ["read", "list"] }]);

  await stack.configure({ akeylessRoles, akeylessRoleRules: undefined });
  await stack.up();
  expect([...gateway.account.roles.keys()]).toEqual(["/shop/reader"]);
  expect((await pushing.logIn(till)).roles).toEqual([]);
});
