import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf } from "../../support/inventory.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let workloads: Workloads;
let pushing: PushingStack;
const secrets = new Set<string>();

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  workloads = await Workloads.make(admin);
  pushing = await PushingStack.make("akeyless-token", kubeconfig, {
    akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    akeylessRoles: { "/shop/reader": { service_account_name: "shop" } },
  });
  pushing.gateway.account.roles.add("/shop/reader");
  await pushing.stack.up();
  await rememberSecrets();
});

afterAll(async () => {
  await pushing?.[Symbol.asyncDispose]();
  await workloads?.[Symbol.asyncDispose]();
  admin?.close();
});

/** Gathers what must not be read anywhere. */
async function rememberSecrets(): Promise<void> {
  const { akeyless } = (await pushing.outputs()).authConfigs.token;
  for (const field of ["signing-key", "token-reviewer-jwt"]) secrets.add(akeyless[field] ?? expect.fail(field));
}

async function expectLogin(): Promise<void> {
  const { claims } = await pushing.logIn(await workloads.token("shop"));
  expect(claims).toMatchObject({ namespace: workloads.namespace, service_account_name: "shop" });
}

/** The reviewer of the config that is at the gateway. */
function reviewer(): string {
  const jwt = pushing.gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt ?? "";
  const { sub } = JSON.parse(Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString()) as { sub: string };
  return sub.split(":").at(-1) ?? "";
}

describe("an up from nothing", () => {
  test("lets a workload log in with nothing but outputs, and the gateway learns who it is", async () => {
    const login = await pushing.logIn(await workloads.token("shop", { pod: "shop-1" }));
    expect(login).toMatchObject({
      claims: {
        namespace: workloads.namespace,
        service_account_name: "shop",
        service_account_uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        pod_name: "shop-1",
        pod_uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        config_name: "k8s-conf",
        aud: [expect.any(String)],
      },
      roles: ["/shop/reader"],
    });
  });

  test("makes what was asked for, with a key that the program made", () => {
    const { account, configs } = pushing.gateway;
    const method = account.methods.get("/k8sauth/akeyless-token");
    expect(method).toMatchObject({ boundNamespaces: [workloads.namespace], forceSubClaims: false });
    expect(configs.get("k8s-conf")).toMatchObject({
      auth_method_access_id: method?.accessId,
      k8s_auth_type: "bearer_token",
      disable_iss_validation: true,
    });
    const call = pushing.gateway.calls.find(({ command }) => command === "auth-method-create-k8s");
    expect(call?.body).toMatchObject({ "gen-key": "false" });
  });

  test("outputs exactly the config that was pushed, and what workloads need", async () => {
    const { authConfigs, workloadLogin, notes } = await pushing.outputs();
    const call = pushing.gateway.calls.find(({ command }) => command === "gateway-create-k8s-auth-config");
    expect(authConfigs.token.akeyless).toEqual(call?.body);
    expect(workloadLogin.akeyless).toMatchObject({
      accessId: authConfigs.token.akeyless["access-id"],
      gatewayUrl: pushing.gateway.url,
      k8sAuthConfigName: "k8s-conf",
    });
    expect(notes).toEqual([]);
  });
});

test("who may not log in is refused: another namespace, another access id, a forged token, a deleted account", async () => {
  await using elsewhere = await Workloads.make(admin);
  await expect(pushing.logIn(await elsewhere.token("shop"))).rejects.toThrow(/namespace is not allowed/);
  const jwt = await workloads.token("shop");
  await expect(pushing.gateway.logIn("p-other", "k8s-conf", jwt)).rejects.toThrow(/access id does not match/);
  const [head, payload] = jwt.split(".");
  await expect(pushing.logIn(`${head}.${payload}.c2lnbmF0dXJl`)).rejects.toThrow(/token review failed/);
  const gone = await workloads.token("gone");
  await workloads.remove("gone");
  await expect(pushing.logIn(gone)).rejects.toThrow(/token review failed/);
  await expect(pushing.logIn(await workloads.token("shop", { audience: "other" }))).rejects.toThrow(
    /token review failed/,
  );
});

test("a second up and a preview change nothing, and ask the gateway nothing", async () => {
  pushing.gateway.calls.length = 0;
  const { changes } = await pushing.stack.up();
  expect(Object.keys(changes)).toEqual(["same"]);
  await pushing.stack.preview();
  expect(pushing.gateway.commands).toEqual([]);
});

describe("drift", () => {
  test("of the auth config shows on refresh, and the up after it heals it", async () => {
    const live = pushing.gateway.configs.get("k8s-conf") ?? expect.fail("there is no config");
    pushing.gateway.configs.set("k8s-conf", { ...live, k8s_host: "https://elsewhere.example.com" });
    await expect(pushing.logIn(await workloads.token("shop"))).rejects.toThrow(/token review failed/);
    await pushing.stack.refresh();
    expect(pushing.stack.steps).toEqual(["update AkeylessGatewayAuthConfig"]);
    expect(pushing.stack.said).toMatch(/changed outside this stack: k8s-host/);
    await pushing.stack.up();
    expect(pushing.stack.steps).toEqual(["update AkeylessGatewayAuthConfig"]);
    await expectLogin();
  });

  test("of bounds and claims shows on refresh, and the up after it heals it", async () => {
    const { methods, associations } = pushing.gateway.account;
    for (const method of methods.values()) method.boundNamespaces = [];
    for (const association of associations.values()) association.claims = {};
    await pushing.stack.refresh();
    expect(pushing.stack.steps.sort()).toEqual(["update AkeylessAuthMethod", "update AkeylessRoleAssociation"]);
    await pushing.stack.up();
    expect([...methods.values()][0]?.boundNamespaces).toEqual([workloads.namespace]);
    expect([...associations.values()][0]?.claims).toEqual({ service_account_name: ["shop"] });
  });

  test("of a config that was deleted shows on refresh, and the up after it makes it again", async () => {
    pushing.gateway.configs.clear();
    await pushing.stack.refresh();
    expect(pushing.stack.steps).toEqual(["delete AkeylessGatewayAuthConfig"]);
    await pushing.stack.up();
    expect(pushing.stack.steps).toEqual(["create AkeylessGatewayAuthConfig"]);
    await expectLogin();
  });
});

describe("another reviewer's token", () => {
  test("reaches the gateway in the same up, while workloads that log in all the time never fail", async () => {
    await pushing.stack.configure({ serviceAccountName: "second-reviewer" });
    const client = pushing.loggingIn(await workloads.token("shop"));
    await pushing.stack.up();
    const { logins, failures } = await client.stop();
    expect(failures).toEqual([]);
    expect(logins).toBeGreaterThan(3);
    expect(reviewer()).toBe("second-reviewer");
    await rememberSecrets();
    await expectLogin();
  });

  test("that the gateway does not take leaves the old one working, and the next up finishes", async () => {
    await pushing.stack.configure({ serviceAccountName: "third-reviewer" });
    pushing.gateway.fault = ({ command }) =>
      command === "gateway-update-k8s-auth-config" ? { status: 403, body: '{"error":"not now"}' } : undefined;
    await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_FORBIDDEN.*not now/);
    expect(reviewer()).toBe("second-reviewer");
    await expectLogin();
    pushing.gateway.fault = () => undefined;
    await pushing.stack.up();
    expect(reviewer()).toBe("third-reviewer");
    await rememberSecrets();
    await expectLogin();
    expect((await pushing.stack.preview()).changes).toEqual({ same: expect.any(Number) });
  });

  test("of which the gateway's answer was lost is found there by the next up", async () => {
    await pushing.stack.configure({ serviceAccountName: "fourth-reviewer" });
    let lost = 0;
    pushing.gateway.fault = ({ command }) =>
      command === "gateway-update-k8s-auth-config" && lost++ < 5 ? "lost" : undefined;
    await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_RESET/);
    await expectLogin();
    pushing.gateway.fault = () => undefined;
    await pushing.stack.up();
    expect(reviewer()).toBe("fourth-reviewer");
    await rememberSecrets();
    await expectLogin();
  });
});

test("a config with another name is created before the old one is deleted", async () => {
  await pushing.stack.configure({ akeylessAuthConfigName: "k8s-renamed" });
  pushing.gateway.calls.length = 0;
  await pushing.stack.up();
  const writes = pushing.gateway.commands.filter((command) => /^gateway-(create|delete)/.test(command));
  expect(writes).toEqual(["gateway-create-k8s-auth-config", "gateway-delete-k8s-auth-config"]);
  await expectLogin();
});

test("neither state nor anything said holds a secret in plaintext", async () => {
  const { stack, gateway } = pushing;
  const seen = JSON.stringify([stack.history, stack.events]) + (await readFile(stack.stateFile, "utf8"));
  for (const secret of [...secrets, gateway.accessKey]) expect(seen.includes(secret)).toBe(false);
  expect(seen.includes(gateway.accessId)).toBe(false);
  expect(secrets.size).toBeGreaterThan(3);
});

test("a session in the environment is enough, and enters no state either", async () => {
  const { stack, gateway } = pushing;
  const { AKEYLESS_ACCESS_ID, AKEYLESS_ACCESS_KEY } = stack.env;
  delete stack.env.AKEYLESS_ACCESS_ID;
  delete stack.env.AKEYLESS_ACCESS_KEY;
  const AKEYLESS_TOKEN = gateway.session();
  Object.assign(stack.env, { AKEYLESS_TOKEN });
  await stack.configure({ akeylessAuthConfigName: "k8s-by-session" });
  await stack.up();
  delete stack.env.AKEYLESS_TOKEN;
  Object.assign(stack.env, { AKEYLESS_ACCESS_ID, AKEYLESS_ACCESS_KEY });
  expect(gateway.configs.has("k8s-by-session")).toBe(true);
  const seen = JSON.stringify([stack.history, stack.events]) + (await readFile(stack.stateFile, "utf8"));
  expect(seen.includes(AKEYLESS_TOKEN)).toBe(false);
});

test("without credentials in the environment the up fails and says which; nothing is created", async () => {
  const { env } = pushing.stack;
  const { AKEYLESS_ACCESS_KEY } = env;
  delete env.AKEYLESS_ACCESS_KEY;
  await pushing.stack.configure({ akeylessAuthConfigName: "never" });
  await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_CREDENTIALS_MISSING.*AKEYLESS_ACCESS_KEY/);
  env.AKEYLESS_ACCESS_KEY = AKEYLESS_ACCESS_KEY;
  expect(pushing.gateway.configs.has("never")).toBe(false);
});

test("destroy leaves nothing at the gateway or in the account", async () => {
  const { account, configs } = pushing.gateway;
  await pushing.stack.destroy();
  expect([...configs, ...account.methods, ...account.associations, ...account.items]).toEqual([]);
});
