import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { reviewToken } from "../../../kubernetes/reviews.ts";
import { PushingStack, Workloads } from "../../support/gateways/akeylessStack.ts";
import { adminOf, type Lodging, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

interface Credential {
  readonly subject: string;
  readonly epoch: string;
  readonly secret: string;
  readonly previous: readonly { readonly epoch: string; readonly secret: string }[];
}

interface Outputs {
  readonly clusterAccess: { readonly token: string };
  readonly kubeconfigs: Readonly<Record<string, string>>;
  readonly credentials: Readonly<Record<string, Credential>>;
}

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  home = await lodging(admin);
});
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

async function outputs(of: Pick<TestStack, "outputs"> = stack): Promise<Outputs> {
  return (await of.outputs()) as unknown as Outputs;
}

/** The tokens of a stack's outputs, by the name of the credential. */
async function tokens(): Promise<Record<string, string>> {
  const { clusterAccess, kubeconfigs } = await outputs();
  const users = Object.entries(kubeconfigs).map(([name, text]) => [name, parse(text).users[0].user.token as string]);
  return { ...Object.fromEntries(users), token: clusterAccess.token };
}

/** Names of the token Secrets in a namespace. */
async function secretsIn(namespace: string): Promise<string[]> {
  interface List {
    readonly items?: readonly { readonly metadata: { readonly name: string } }[];
  }
  const { items = [] } = await admin.get<List>(pathFor("v1", "Secret", namespace));
  return items.map(({ metadata }) => metadata.name).sort();
}

async function works(token = ""): Promise<boolean> {
  return (await reviewToken(admin, token)).authenticated;
}

/** The API server remembers a successful review for 10 s. */
async function expectDead(token: string | undefined): Promise<void> {
  await vi.waitUntil(async () => !(await works(token)), { timeout: 30_000, interval: 200 });
}

const rules = [{ resources: ["pods"], verbs: ["get"] }];

describe.each([
  ["secret", "token"],
  ["tokenRequest", "bound-token"],
])("a rotation of tokens of the mode %s", (tokenMode, suffix) => {
  test("gives reviewer and user other tokens; those of listed epochs work, the others are dead", async () => {
    const { namespace } = home.settings;
    const reader = { namespace, tokenMode, rules };
    const settings = { kubeconfig, allowLoopbackHost: true, ...home.settings, tokenMode, bearerTokenUsers: { reader } };
    stack = await TestStack.make("rotate", { ...settings, rotation: { current: "2026-q3" } });
    await stack.up();
    const old = await tokens();
    expect(await secretsIn(namespace)).toEqual([
      `gateway-token-reviewer-${suffix}-2026-q3`,
      `reader-${suffix}-2026-q3`,
    ]);

    await stack.configure({ rotation: { current: "2026-q4", previous: ["2026-q3"] } });
    await stack.up();
    expect(stack.steps.filter((step) => step.startsWith("delete"))).toEqual([
      "delete-replaced ReviewerToken",
      "delete-replaced ReviewerToken",
    ]);
    const fresh = await tokens();
    const { credentials } = await outputs();
    for (const [name, account] of [
      ["token", "gateway-token-reviewer"],
      ["reader", "reader"],
    ] as const) {
      expect(fresh[name]).not.toBe(old[name]);
      for (const token of [old[name], fresh[name]])
        expect(await reviewToken(admin, token ?? "")).toMatchObject({
          authenticated: true,
          username: `system:serviceaccount:${namespace}:${account}`,
        });
      expect(credentials[name]).toMatchObject({
        epoch: "2026-q4",
        secret: `${account}-${suffix}-2026-q4`,
        previous: [{ epoch: "2026-q3", secret: `${account}-${suffix}-2026-q3` }],
      });
    }

    await stack.up();
    expect(stack.steps).toEqual([]);

    await stack.configure({ rotation: { current: "2026-q4" } });
    await stack.up();
    expect(stack.steps.filter((step) => !step.endsWith(" Cluster"))).toEqual(["delete Secret", "delete Secret"]);
    for (const name of ["token", "reader"]) {
      await expectDead(old[name]);
      expect(await works(fresh[name])).toBe(true);
    }
    expect(await tokens()).toEqual(fresh);
  });

  test("keeps the token from before the first rotation for as long as it is listed", async () => {
    stack = await TestStack.make("first", { kubeconfig, allowLoopbackHost: true, ...home.settings, tokenMode });
    await stack.up();
    const old = await tokens();
    await stack.configure({ rotation: { current: "a", previous: [""] } });
    await stack.up();
    expect(await works(old.token)).toBe(true);
    expect((await outputs()).credentials.token?.previous).toEqual([
      { epoch: "", secret: `gateway-token-reviewer-${suffix}` },
    ]);
    await stack.configure({ rotation: { current: "a" } });
    await stack.up();
    await expectDead(old.token);
    expect(await works((await tokens()).token)).toBe(true);
  });
});

test("a leaked token is dead after one up: its epoch is not listed any more", async () => {
  stack = await TestStack.make("leak", { kubeconfig, allowLoopbackHost: true, ...home.settings });
  await stack.up();
  const leaked = await tokens();
  await stack.configure({ rotation: { current: "after-the-leak" } });
  await stack.up();
  const last = (kind: RegExp) => stack.steps.findLastIndex((step) => kind.test(step));
  expect(last(/^create Secret/)).toBeLessThan(last(/^replace ReviewerToken/));
  expect(last(/^replace ReviewerToken/)).toBeLessThan(stack.steps.indexOf("delete Secret"));
  await expectDead(leaked.token);
  expect(await works((await tokens()).token)).toBe(true);
});

test("a user's own rotation leaves the other credentials alone", async () => {
  const { namespace } = home.settings;
  const users = { reader: { namespace, rules }, writer: { namespace, rules } };
  stack = await TestStack.make("one", {
    kubeconfig,
    allowLoopbackHost: true,
    ...home.settings,
    bearerTokenUsers: users,
  });
  await stack.up();
  const old = await tokens();
  const reader = { ...users.reader, rotation: { current: "b" } };
  await stack.configure({ bearerTokenUsers: { ...users, reader } });
  await stack.up();
  const fresh = await tokens();
  expect(fresh).toMatchObject({ token: old.token, writer: old.writer });
  expect(fresh.reader).not.toBe(old.reader);
  await expectDead(old.reader);
  for (const token of Object.values(fresh)) expect(await works(token)).toBe(true);
});

test("a rotation is refused before anything is created if another Secret has the name", async () => {
  const { namespace } = home.settings;
  stack = await TestStack.make("taken", { kubeconfig, allowLoopbackHost: true, ...home.settings });
  await stack.up();
  const old = await tokens();
  const metadata = { name: "gateway-token-reviewer-token-b" };
  await admin.create(pathFor("v1", "Secret", namespace), { apiVersion: "v1", kind: "Secret", metadata });
  await stack.configure({ rotation: { current: "b" } });
  await expect(stack.up()).rejects.toThrow(/CLUSTER_NAME_TAKEN.*Secret "gateway-token-reviewer-token-b"/);
  expect(stack.steps).toEqual([]);
  expect(await works(old.token)).toBe(true);
});

describe("with a gateway that the stack pushes to", () => {
  let pushing: PushingStack;
  let workloads: Workloads;
  /** A namespace that the stack does not make: names in it must be free. */
  let shared: Lodging;

  beforeAll(async () => {
    workloads = await Workloads.make(admin);
    shared = await lodging(admin);
    pushing = await PushingStack.make("rotate-pushed", kubeconfig, {
      ...shared.settings,
      rotation: { current: "a" },
      akeylessAuthMethod: { boundNamespaces: [workloads.namespace] },
    });
    await pushing.stack.up();
  });
  afterAll(async () => {
    await pushing?.[Symbol.asyncDispose]();
    await workloads?.[Symbol.asyncDispose]();
    await shared?.[Symbol.asyncDispose]();
  });

  const pushedToken = () => pushing.gateway.configs.get("k8s-conf")?.k8s_token_reviewer_jwt;
  const currentToken = async () => (await outputs(pushing.stack)).clusterAccess.token;

  test("the new token is proved and pushed before the old Secret is deleted, and no login fails", async () => {
    const old = await currentToken();
    await pushing.stack.configure({ rotation: { current: "b" } });
    const client = pushing.loggingIn(await workloads.token("shop"));
    await pushing.stack.up();
    const { logins, failures } = await client.stop();
    expect(failures).toEqual([]);
    expect(logins).toBeGreaterThan(3);
    const { steps } = pushing.stack;
    const order = ["create Secret", "replace ReviewerToken", "update AkeylessGatewayAuthConfig", "delete Secret"];
    expect(steps.filter((step) => order.includes(step))).toEqual(order);
    expect(pushedToken()).toBe(await currentToken());
    expect(pushedToken()).not.toBe(old);
    await expectDead(old);
  });

  test("a push that is refused leaves the old token alive and pushed, and the next up finishes", async () => {
    const old = await currentToken();
    await pushing.stack.configure({ rotation: { current: "c" } });
    pushing.gateway.fault = ({ command }) =>
      command === "gateway-update-k8s-auth-config" ? { status: 403, body: '{"error":"not now"}' } : undefined;
    await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_FORBIDDEN/);
    expect(pushing.stack.steps).not.toContain("delete Secret");
    expect(pushedToken()).toBe(old);
    pushing.gateway.fault = () => undefined;
    await pushing.stack.up();
    expect(pushing.stack.steps).toContain("delete Secret");
    expect(pushedToken()).toBe(await currentToken());
    await expectDead(old);
    expect(await works(pushedToken())).toBe(true);
  });

  test("a rotation that was refused can be taken back", async () => {
    const old = await currentToken();
    await pushing.stack.configure({ rotation: { current: "d" } });
    pushing.gateway.fault = ({ command }) =>
      command === "gateway-update-k8s-auth-config" ? { status: 403, body: '{"error":"not now"}' } : undefined;
    await expect(pushing.stack.up()).rejects.toThrow(/AKEYLESS_FORBIDDEN/);
    pushing.gateway.fault = () => undefined;
    await pushing.stack.configure({ rotation: { current: "c" } });
    await pushing.stack.up();
    expect(pushedToken()).toBe(old);
    expect(await works(old)).toBe(true);
    await pushing.logIn(await workloads.token("shop"));
    expect((await pushing.stack.preview()).changes).toEqual({ same: expect.any(Number) });
  });
});
