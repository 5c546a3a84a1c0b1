import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { VaultAuth } from "../../../demo/gateways/vault/index.ts";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { workloadToken } from "../../../kubernetes/reviews.ts";
import { adminOf, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

type Config = Record<string, string | boolean>;

const kubeconfig = workerKubeconfig();
const audience = "vault.example";
let admin: KubeClient;
let namespace: string;
let removeHome: () => PromiseLike<void>;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const home = await lodging(admin);
  ({ namespace } = home.settings);
  removeHome = () => home[Symbol.asyncDispose]();
  await admin.create(pathFor("v1", "ServiceAccount", namespace), {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "workload" },
  });
  await (await VaultAuth.start())[Symbol.asyncDispose]();
}, 900_000);

afterAll(async () => {
  await removeHome?.();
  admin?.close();
});

const workload = () => workloadToken(admin, namespace, "workload", audience);

const role = (of: object = {}) => ({
  bound_service_account_names: ["workload"],
  bound_service_account_namespaces: [namespace],
  audience,
  token_policies: ["shop"],
  ...of,
});

async function configOf(stack: TestStack, product = "vault"): Promise<Config> {
  const { authConfigs } = (await stack.outputs()) as unknown as { authConfigs: { token: Record<string, Config> } };
  return authConfigs.token[product] ?? expect.fail(`there is no auth config for ${product}`);
}

/** The error of the first login that Vault refuses. The API server learns of a deletion by its watch, and remembers an accepted token for 10 s. */
function refusal(vault: VaultAuth, role: string, token: () => string | Promise<string>): Promise<string> {
  return vi.waitFor(
    async () => (await vault.login(role, await token())).error ?? expect.fail("Vault still accepts the token"),
    { timeout: 20_000, interval: 200 },
  );
}

describe.each(["secret", "tokenRequest"])("Vault's own code with a reviewer in token mode %s", (tokenMode) => {
  let stack: TestStack;
  let vault: VaultAuth;

  beforeAll(async () => {
    stack = await TestStack.make("vault", { kubeconfig, allowLoopbackHost: true, audience, tokenMode });
    await stack.up();
    vault = await VaultAuth.start();
  });
  afterAll(async () => {
    await vault?.[Symbol.asyncDispose]();
    await stack?.[Symbol.asyncDispose]();
  });

  test("takes the auth config as it is", async () => {
    const config = await configOf(stack);
    expect(await vault.write("config", config)).toEqual({});
    const { token_reviewer_jwt: _secret, ...shown } = config;
    expect((await vault.read("config")).data).toMatchObject({ ...shown, token_reviewer_jwt_set: true });
  });

  test("logs a workload in, and learns who it is", async () => {
    expect((await vault.write("role/shop", role())).error).toBeUndefined();
    expect(await vault.login("shop", await workload())).toMatchObject({
      metadata: { service_account_name: "workload", service_account_namespace: namespace, role: "shop" },
      policies: ["shop"],
    });
  });

  test.each<[string, object, RegExp]>([
    ["another namespace", { bound_service_account_namespaces: ["elsewhere"] }, /namespace not authorized/],
    ["another account", { bound_service_account_names: ["other"] }, /service account name not authorized/],
    ["another audience", { audience: "elsewhere" }, /invalid audience/],
  ])("does not log in a workload of %s", async (_what, of, expected) => {
    await vault.write("role/other", role(of));
    const answer = await vault.login("other", await workload());
    expect(answer.error).toMatch(expected);
    expect(answer.metadata).toBeUndefined();
  });

  test("does not log in a workload whose token has another audience", async () => {
    const answer = await vault.login("shop", await workloadToken(admin, namespace, "workload", "elsewhere"));
    expect(answer.error).toMatch(/invalid audience/);
  });

  test("does not log in a workload whose account is gone", async () => {
    const path = pathFor("v1", "ServiceAccount", namespace);
    await admin.create(path, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "short-lived" } });
    const token = await workloadToken(admin, namespace, "short-lived", audience);
    await vault.write("role/short", role({ bound_service_account_names: ["short-lived"] }));
    await admin.delete(`${path}/short-lived`);
    expect(await refusal(vault, "short", () => token)).toMatch(/permission denied/);
  });

  test("refuses all logins once the reviewer is dead, and accepts them with the config of the next up", async () => {
    const { credentials } = (await stack.outputs()) as { credentials: { token: { namespace: string } } };
    const suffix = tokenMode === "secret" ? "token" : "bound-token";
    await admin.delete(pathFor("v1", "Secret", credentials.token.namespace, `gateway-token-reviewer-${suffix}`));
    expect(await refusal(vault, "shop", workload)).toMatch(/permission denied/);
    await stack.refresh();
    await stack.up();
    expect(await vault.write("config", await configOf(stack))).toEqual({});
    expect((await vault.login("shop", await workload())).metadata).toMatchObject({ service_account_name: "workload" });
  });
});

test("a CA that is not raw PEM is refused by Vault: encodings matter", async () => {
  await using vault = await VaultAuth.start();
  await using stack = await TestStack.make("vault", { kubeconfig, allowLoopbackHost: true });
  await stack.up();
  const config = await configOf(stack, "openbao");
  expect(await configOf(stack)).toEqual(config);
  const encoded = Buffer.from(String(config.kubernetes_ca_cert)).toString("base64");
  expect((await vault.write("config", { ...config, kubernetes_ca_cert: encoded })).error).toMatch(
    /no valid certificates/i,
  );
});
