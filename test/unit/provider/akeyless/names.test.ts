/**
 * Identity of an account's objects. Names are paths, which requests may write with or without the leading slash, and
 * which answers have without it. Several URLs lead to one account.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { akeylessAuthMethod } from "../../../../provider/akeyless/authMethod.ts";
import { akeylessCertificate } from "../../../../provider/akeyless/certificate.ts";
import { akeylessGatewayAuthConfig } from "../../../../provider/akeyless/index.ts";
import { akeylessRole } from "../../../../provider/akeyless/role.ts";
import { akeylessRoleAssociation } from "../../../../provider/akeyless/roleAssociation.ts";
import type { AnyResource } from "../../../../provider/protocol/resource.ts";
import { makeCertificate } from "../../../../sandbox/cluster/certificate.ts";
import { contextFor, inputsOf, keyPair, startGateway, tokenConfig, useGateway } from "../../../support/akeyless.ts";

const { publicKey, signingKey } = keyPair();
const certificatePem = makeCertificate({ commonName: "reviewer" }).certPem;
const gateway = await useGateway();

const operate = () => contextFor(gateway.env).context;

interface Kind {
  readonly resource: AnyResource;
  /** Inputs that differ in nothing but the spelling of names. */
  readonly inputs: (slash: "" | "/") => Record<string, unknown>;
  readonly count: () => number;
}

const kinds: Readonly<Record<string, Kind>> = {
  "an auth method": {
    resource: akeylessAuthMethod as unknown as AnyResource,
    inputs: (slash) => ({ name: `${slash}k8s/shop`, publicKey, boundNamespaces: ["shop"] }),
    count: () => gateway.account.methods.size,
  },
  "a certificate": {
    resource: akeylessCertificate as unknown as AnyResource,
    inputs: (slash) => ({ name: `${slash}k8s/certificate`, certificatePem, expirationEventIn: ["7"] }),
    count: () => gateway.account.items.size,
  },
  "a role": {
    resource: akeylessRole as unknown as AnyResource,
    inputs: (slash) => ({ name: `${slash}shop/reader`, rules: [{ path: `${slash}shop/*`, capabilities: ["read"] }] }),
    count: () => gateway.account.roles.size,
  },
  "a role association": {
    resource: akeylessRoleAssociation as unknown as AnyResource,
    inputs: (slash) => ({
      roleName: `${slash}shop/reader`,
      authMethodName: `${slash}k8s/shop`,
      accessId: gateway.account.methods.get("/k8s/shop")?.accessId,
      subClaims: { namespace: "shop" },
      caseSensitive: true,
    }),
    count: () => gateway.account.associations.size,
  },
};

describe.each(Object.entries(kinds))("%s", (name, { resource, inputs, count }) => {
  const given = (slash: "" | "/") => ({ apiUrl: gateway.publicApi, caPem: gateway.caPem, ...inputs(slash) });
  const made = async (slash: "" | "/") => {
    const known = given(slash);
    const { id, outputs } = await resource.create(known, operate());
    return { id, inputs: known, outputs };
  };

  beforeEach(async () => {
    if (name !== "a role association") return;
    gateway.account.roles.add("/shop/reader");
    gateway.account.methods.commands["auth-method-create-k8s"]?.({ name: "/k8s/shop" });
  });

  test.each(["", "/"] as const)("named with %j shows no drift", async (slash) => {
    const state = await made(slash);
    const read = await resource.read(state, operate());
    expect(read).toEqual({ id: state.id, outputs: state.outputs });
  });

  test("does not change when a name is spelt the other way", async () => {
    const state = await made("/");
    const changes = await resource.diff(state, inputsOf(given("")), operate());
    expect(Object.keys(changes).filter((property) => property !== "rules")).toEqual([]);
    const outputs = await resource.update(state, given(""), operate());
    expect((await resource.read({ ...state, inputs: given(""), outputs }, operate()))?.outputs.drift).toEqual([]);
    expect(count()).toBe(1);
  });

  test("that a killed run left under the other spelling is taken over", async () => {
    const state = await made("/");
    const { outputs } = await resource.create(given(""), operate());
    expect(count()).toBe(1);
    expect({ ...outputs, accessId: undefined }).toMatchObject({ drift: [] });
    await resource.delete?.({ ...state, inputs: given(""), outputs }, operate());
    expect(count()).toBe(0);
  });
});

describe.each(Object.entries(kinds).filter(([name]) => name !== "a role association"))(
  "%s whose API gets another URL",
  (_name, { resource, inputs, count }) => {
    const made = async () => {
      const known = { apiUrl: gateway.publicApi, caPem: gateway.caPem, ...inputs("/") };
      const { id, outputs } = await resource.create(known, operate());
      return { id, inputs: known, outputs };
    };

    test("stays the same object if that is the same account", async () => {
      const state = await made();
      const moved = { ...state.inputs, apiUrl: gateway.gatewayApi };
      expect(await resource.diff(state, inputsOf(moved), operate())).toEqual({ apiUrl: "update" });
      const outputs = await resource.update(state, moved, operate());
      expect(outputs).toMatchObject({ ...state.outputs, apiUrl: gateway.gatewayApi });
      expect(count()).toBe(1);
    });

    test("is created if that is another account, with a warning about the one that stays", async () => {
      await using second = await startGateway();
      const state = await made();
      const moved = { ...state.inputs, apiUrl: second.publicApi, caPem: second.caPem };
      const { context, lines } = contextFor(second.env);
      const outputs = await resource.update(state, moved, context);
      expect(lines.join()).toContain(`It stays at ${gateway.publicApi}`);
      expect(count()).toBe(1);
      expect(await resource.read({ ...state, inputs: moved, outputs }, context)).toMatchObject({
        outputs: { drift: [] },
      });
    });
  },
);

describe("an auth config whose name is spelt the other way", () => {
  const resource = akeylessGatewayAuthConfig;
  const named = (name: string) => ({
    gatewayApi: gateway.gatewayApi,
    caPem: gateway.caPem,
    config: tokenConfig(signingKey, { name }),
  });
  const respelled = async () => {
    const given = named("k8s-conf");
    const { id, outputs } = await resource.create(given, operate());
    const state = { id, inputs: given, outputs };
    expect(await resource.diff(state, inputsOf(named("/k8s-conf")), operate())).toEqual({ config: "update" });
    return resource.update(state, named("/k8s-conf"), operate());
  };

  test("moves at a gateway that distinguishes the two names", async () => {
    expect((await respelled()).name).toBe("/k8s-conf");
    expect([...gateway.configs.keys()]).toEqual(["/k8s-conf"]);
  });

  test("stays at a gateway for which they are one name", async () => {
    gateway.namesArePaths = true;
    await respelled();
    gateway.namesArePaths = false;
    expect(gateway.configs.size).toBe(1);
  });
});
