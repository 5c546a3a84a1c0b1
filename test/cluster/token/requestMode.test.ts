import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { pathFor } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, lodging } from "../../support/inventory.ts";
import { crash, recover } from "../../support/pulumi/crash.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, Gateway, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

interface Outputs {
  readonly clusterAccess: Access;
  readonly credentials: { readonly token: Record<string, string> };
  readonly notes: readonly string[];
}

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let before: string[];
let home: Awaited<ReturnType<typeof lodging>>;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  before = await inventory(admin);
});
beforeEach(async () => {
  home = await lodging(admin);
});
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

/** The shortest lifetime that is accepted. With `renewSoon` the token is due for renewal three seconds later. */
const tokenRequest = { tokenMode: "tokenRequest", tokenExpirationSeconds: 600 };
const renewSoon = { tokenRenewBefore: 597 };

async function make(settings: Record<string, string | number> = {}): Promise<TestStack> {
  return TestStack.make("bound", { kubeconfig, allowLoopbackHost: true, ...home.settings, ...settings });
}

async function outputs(): Promise<Outputs> {
  return (await stack.outputs()) as unknown as Outputs;
}

async function untilDue({ credentials }: Outputs): Promise<void> {
  await sleep(Math.max(0, Date.parse(credentials.token.renewAfter ?? "") - Date.now()));
}

function claimsOf({ token }: Access): { exp: number; "kubernetes.io": Record<string, { name: string }> } {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

const secretPath = () => pathFor("v1", "Secret", home.settings.namespace, "gateway-token-reviewer-bound-token");

describe("a token by TokenRequest", () => {
  test("ends, dies with its Secret, and says when it wants to be renewed", async () => {
    stack = await make(tokenRequest);
    await stack.up();
    expect(stack.said).toMatch(/Only pulumi up renews it: schedule a run/);
    const { clusterAccess, credentials, notes } = await outputs();
    expect(await reviewSelf(clusterAccess)).toMatchObject({ authenticated: true, username: credentials.token.subject });
    const { exp, "kubernetes.io": bound } = claimsOf(clusterAccess);
    expect(bound.secret?.name).toBe("gateway-token-reviewer-bound-token");
    expect(Date.parse(credentials.token.notAfter ?? "")).toBe(exp * 1000);
    expect(credentials.token.kind).toBe("TokenRequest");
    const { notBefore = "", notAfter = "", renewAfter = "" } = credentials.token;
    expect(Date.parse(notAfter) - Date.parse(notBefore)).toBe(600_000);
    expect(Date.parse(notAfter) - Date.parse(renewAfter)).toBe(200_000);
    expect(notes.join()).toMatch(/schedule runs/);
    const { namespace } = home.settings;
    expect(added(before, await inventory(admin)).filter((object) => object.startsWith("Secret"))).toEqual([
      `Secret ${namespace.replace(/[0-9a-f]{8}$/, "#")}/gateway-token-reviewer-bound-token`,
    ]);
    expect(await admin.get(secretPath())).toMatchObject({ type: "Opaque" });

    await stack.up();
    expect(stack.steps).toEqual([]);

    await admin.delete(secretPath());
    while ((await reviewSelf(clusterAccess)).authenticated) await sleep(200);
    await expect(stack.up()).rejects.toThrow(/TOKEN_SECRET_MISSING.*pulumi up --refresh/);
    await stack.refresh();
    await stack.up();
    expect(await reviewSelf((await outputs()).clusterAccess)).toMatchObject({ authenticated: true });
  });

  test("is announced by a preview once it is due, renewed by a plain up, and stays valid itself", async () => {
    stack = await make({ ...tokenRequest, ...renewSoon });
    await stack.up();
    const old = await outputs();
    await using gateway = stopping(new Gateway(old.clusterAccess));
    await untilDue(old);
    expect((await stack.preview()).changes).toMatchObject({ replace: 1 });
    await stack.up();
    expect(stack.steps).toEqual(["replace ReviewerToken", "delete-replaced ReviewerToken"]);
    const fresh = await outputs();
    expect(fresh.clusterAccess.token).not.toBe(old.clusterAccess.token);
    expect(Date.parse(fresh.credentials.token.notAfter ?? "")).toBeGreaterThan(
      Date.parse(old.credentials.token.notAfter ?? ""),
    );
    expect(await reviewSelf(fresh.clusterAccess)).toMatchObject({ authenticated: true });
    await gateway.stop();
    expect(gateway.reviews).toBeGreaterThan(10);
    expect(gateway.failures).toEqual([]);
    expect(await reviewSelf(old.clusterAccess)).toMatchObject({ authenticated: true });

    await admin.delete(secretPath());
    for (const { clusterAccess } of [old, fresh])
      while ((await reviewSelf(clusterAccess)).authenticated) await sleep(200);
  });

  test.each([1, 2, 3])("a renewal killed at write %i of the state is finished by a recovery", async (write) => {
    stack = await make({ ...tokenRequest, ...renewSoon });
    await stack.up();
    const old = await outputs();
    await untilDue(old);
    const killed = await crash(stack, "up", { write });
    expect(killed, killed.output).toMatchObject({ reached: true });
    expect(await reviewSelf(old.clusterAccess)).toMatchObject({ authenticated: true });
    await recover(stack);
    const fresh = await outputs();
    expect(await reviewSelf(fresh.clusterAccess)).toMatchObject({ authenticated: true });
    expect(fresh.clusterAccess.token).not.toBe(old.clusterAccess.token);
    expect(await reviewSelf(old.clusterAccess)).toMatchObject({ authenticated: true });
  });

  test("another lifetime makes another token, another time of renewal does not", async () => {
    stack = await make(tokenRequest);
    await stack.up();
    const first = await outputs();
    await stack.configure({ tokenRenewBefore: 60 });
    await stack.up();
    const second = await outputs();
    expect(second.clusterAccess.token).toBe(first.clusterAccess.token);
    const { notAfter = "", renewAfter = "" } = second.credentials.token;
    expect(Date.parse(notAfter) - Date.parse(renewAfter)).toBe(60_000);
    await stack.configure({ tokenExpirationSeconds: 1200 });
    await stack.up();
    expect((await outputs()).clusterAccess.token).not.toBe(first.clusterAccess.token);
  });
});

test.each([
  ["secret", "tokenRequest"],
  ["tokenRequest", "secret"],
])("a change of mode from %s to %s makes the new token before the old one goes", async (from, to) => {
  stack = await make({ tokenMode: from });
  await stack.up();
  const old = await outputs();
  await stack.configure({ tokenMode: to });
  await stack.up();
  // Before it the cluster is looked at again: another name has to be free.
  expect(stack.steps.slice(1)).toEqual([
    "create Secret",
    "replace ReviewerToken",
    "delete-replaced ReviewerToken",
    "delete Secret",
  ]);
  expect(await reviewSelf((await outputs()).clusterAccess)).toMatchObject({ authenticated: true });
  while ((await reviewSelf(old.clusterAccess)).authenticated) await sleep(200);
});

test.each([
  [{ tokenMode: "forever" }, /tokenMode is "forever"\. Set it to one of: secret, tokenRequest/],
  [{ tokenMode: "tokenRequest", tokenExpirationSeconds: 599 }, /tokenExpirationSeconds is "599"\. .*600 or more/],
  [{ tokenMode: "tokenRequest", tokenExpirationSeconds: 600, tokenRenewBefore: 600 }, /tokenRenewBefore is 600/],
])("%o is refused before anything is created", async (settings, message) => {
  stack = await make(settings);
  await expect(stack.up()).rejects.toThrow();
  expect(stack.said).toMatch(message);
  expect(added(before, await inventory(admin)).filter((object) => !object.startsWith("Namespace"))).toEqual([]);
});

function stopping(gateway: Gateway): Gateway & AsyncDisposable {
  return Object.assign(gateway, { [Symbol.asyncDispose]: () => gateway.stop() });
}
