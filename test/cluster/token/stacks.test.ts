import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, Gateway, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});

afterAll(() => admin?.close());

test("two stacks in one cluster do not touch each other, and a destroyed one leaves nothing", async () => {
  const before = await inventory(admin);
  await using one = await TestStack.make("one", { kubeconfig, allowLoopbackHost: true });
  await using two = await TestStack.make("two", { kubeconfig, allowLoopbackHost: true });
  await Promise.all([one.up(), two.up()]);
  const access = async (stack: TestStack) => (await stack.outputs()).clusterAccess as unknown as Access;
  const [first, second] = [await access(one), await access(two)];
  await one.destroy();
  expect(await reviewSelf(second)).toMatchObject({ authenticated: true });
  expect((await reviewSelf(first)).authenticated).toBe(false);
  expect((await two.preview()).changes).toEqual({ same: expect.any(Number) });
  await two.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
  expect(JSON.parse(await readFile(two.stateFile, "utf8")).checkpoint.latest.resources ?? []).toEqual([]);
});

test("gateways with a stack each: the leaked token of one is revoked, and the other's reviews go on", async () => {
  const flows = { kubeconfig, allowLoopbackHost: true, certificateFlow: true, certificateKeyType: "P256" };
  await using one = await TestStack.make("one", flows);
  await using two = await TestStack.make("two", flows);
  await Promise.all([one.up(), two.up()]);
  const outputs = async (stack: TestStack) =>
    (await stack.outputs()) as unknown as {
      clusterAccess: Access;
      credentials: Record<"token" | "certificate", { subject: string; fingerprint: string }>;
    };
  const [leaked, other] = [await outputs(one), await outputs(two)];
  for (const flow of ["token", "certificate"] as const) {
    expect(leaked.credentials[flow].subject).not.toBe(other.credentials[flow].subject);
    expect(leaked.credentials[flow].fingerprint).not.toBe(other.credentials[flow].fingerprint);
  }
  const gateway = new Gateway(other.clusterAccess);
  await one.configure({ rotation: { current: "after-the-leak" } });
  await one.up();
  await vi.waitUntil(async () => !(await reviewSelf(leaked.clusterAccess)).authenticated, {
    timeout: 30_000,
    interval: 200,
  });
  expect(await reviewSelf((await outputs(one)).clusterAccess)).toMatchObject({ authenticated: true });
  await gateway.stop();
  expect(gateway.failures).toEqual([]);
  expect(gateway.reviews).toBeGreaterThan(10);
  expect((await two.preview()).changes).toEqual({ same: expect.any(Number) });
});
