import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type KubeClient, loadConnection } from "../../kube/index.ts";
import { type Crash, crash, gone, locks } from "../support/crash.ts";
import { EngineProcess } from "../support/engineProcess.ts";
import { added, adminOf, inventory, lodging, tokenFlowObjects } from "../support/inventory.ts";
import { type InterceptingProxy, interceptingProxy } from "../support/proxy.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";
import { TestStack } from "../support/stack.ts";
import { adminToken, kubeconfigFor } from "./providerFixture.ts";

const kubeconfig = inject("kubeconfig");
let admin: KubeClient;
const stacks: TestStack[] = [];
let made = 0;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});

afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack[Symbol.asyncDispose]()));
  admin?.close();
});

async function make(config: Record<string, string | boolean> = {}): Promise<TestStack> {
  const stack = await TestStack.make(`crash-${++made}`, { kubeconfig, allowLoopbackHost: true, ...config });
  stacks.push(stack);
  return stack;
}

/** What a stack is like after an up that ended well, whatever came before. */
async function expectWhole(stack: TestStack, before: readonly string[], objects = tokenFlowObjects): Promise<void> {
  expect(added(before, await inventory(admin))).toEqual(objects);
  const access = (await stack.outputs()).clusterAccess as unknown as Access;
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
  const { latest } = JSON.parse(await readFile(stack.stateFile, "utf8")).checkpoint;
  const urns = (latest.resources ?? []).map(({ urn }: { urn: string }) => urn);
  expect(urns).toEqual([...new Set(urns)]);
  expect(latest).not.toHaveProperty("pending_operations");
  expect(await locks(stack)).toEqual([]);
}

describe("an up that was killed is finished by the next, with nothing made twice", () => {
  const points: Crash[] = [
    ...[1, 4, 7, 10, 13].map((write) => ({ write })),
    { role: "engine", write: 11 },
    { role: "program", write: 9 },
    { role: "plugin", write: 13 },
  ];

  test.each(points)("%o", async (point) => {
    const before = await inventory(admin);
    const stack = await make();
    const killed = await crash(stack, "up", point);
    expect(killed, killed.output).toMatchObject({ reached: true });
    const locked = (await locks(stack)).length;
    await stack.up();
    if (locked > 0) expect(stack.said).toMatch(/A run that ended without unlocking .* left a lock; it was removed/);
    await expectWhole(stack, before);
  });
});

describe("an object that was made, and whose maker was killed before it knew, is found again", () => {
  let proxy: InterceptingProxy;
  let proxied: string;
  let first: number;

  beforeAll(async () => {
    first = stacks.length;
    const { server, caPem } = await loadConnection({ kubeconfig }, {});
    proxy = await interceptingProxy(server, caPem);
    proxied = kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) });
  });

  afterAll(async () => {
    // What these stacks made is reached through the proxy alone.
    await Promise.all(stacks.splice(first).map((stack) => stack[Symbol.asyncDispose]()));
    await proxy?.[Symbol.asyncDispose]();
  });

  test.each(["namespaces", "clusterroles", "clusterrolebindings", "serviceaccounts", "secrets"])(
    "%s",
    async (plural) => {
      const before = await inventory(admin);
      const stack = await make();
      await stack.configureSecret("kubeconfig", proxied);
      const run = EngineProcess.run(stack, "up");
      proxy.answered = (method, path) => {
        if (method !== "POST" || !path.includes(`/${plural}?`)) return true;
        run.kill();
        return false;
      };
      await run.end();
      await gone(stack);
      proxy.answered = () => true;
      expect((await inventory(admin)).length).toBeGreaterThan(before.length);
      await stack.up();
      await expectWhole(stack, before);
    },
  );
});

describe("a killed replacement is finished by the next up", () => {
  test.each([{ write: 5 }, { write: 11 }])("%o", async (point) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await stack.up();
    await stack.configure({ serviceAccountName: "other-reviewer" });
    await crash(stack, "up", point);
    await stack.up();
    await expectWhole(stack, before, [
      "ClusterRole gateway-token-reviewer-#",
      "ClusterRoleBinding gateway-token-reviewer-#",
      `Secret ${home.shown}/other-reviewer-token`,
      `ServiceAccount ${home.shown}/other-reviewer`,
    ]);
    await stack.destroy();
  });

  test("also where the old object had to go first, and the new one was made under its name", async () => {
    await using home = await lodging(admin);
    const { server, caPem } = await loadConnection({ kubeconfig }, {});
    await using proxy = await interceptingProxy(server, caPem);
    const stack = await make({ ...home.settings, bindingName: "k8sauth-test-crash" });
    await stack.configureSecret(
      "kubeconfig",
      kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) }),
    );
    await stack.up();
    await stack.configure({ reviewerRole: "auth-delegator" });
    const run = EngineProcess.run(stack, "up");
    proxy.answered = (method, path) => {
      if (method !== "POST" || !path.includes("/clusterrolebindings?")) return true;
      run.kill();
      return false;
    };
    await run.end();
    proxy.answered = () => true;
    await stack.up();
    const path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k8sauth-test-crash";
    expect((await admin.get(path)).roleRef).toMatchObject({ name: "system:auth-delegator" });
    await stack.up();
    expect(stack.steps).toEqual([]);
    await stack.destroy();
  });
});

describe("a destroy leaves nothing", () => {
  test.each([3, 9])("after an up that was killed at write %i", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await crash(stack, "up", { write });
    await stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
  });

  test.each([2, 7])("after a destroy that was killed at write %i", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await stack.up();
    const killed = await crash(stack, "destroy", { write });
    expect(killed, killed.output).toMatchObject({ reached: true });
    await stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
    expect(JSON.parse(await readFile(stack.stateFile, "utf8")).checkpoint.latest.resources ?? []).toEqual([]);
  });
});
