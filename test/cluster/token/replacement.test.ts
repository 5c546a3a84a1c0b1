import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, Gateway, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let before: string[];
let stack: TestStack;
let home: Lodging;

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

async function accessOf(of: TestStack): Promise<Access> {
  return (await of.outputs()).clusterAccess as unknown as Access;
}

/** An up with other settings, while a gateway reviews with the old token. Returns the time of the first deletion too. */
async function change(settings: Record<string, string | boolean>) {
  const old = await accessOf(stack);
  const gateway = new Gateway(old);
  await stack.configure(settings);
  let deletions = Number.POSITIVE_INFINITY;
  stack.onEvent = (event) => {
    if (event.kind === "step" && event.operation.startsWith("delete"))
      deletions = Math.min(deletions, performance.now());
  };
  await stack.up();
  const { steps } = stack;
  await gateway.stop();
  return { old, fresh: await accessOf(stack), gateway, steps, deletions };
}

function expectNewBeforeOld(run: Awaited<ReturnType<typeof change>>): void {
  const firstDeletion = run.steps.findIndex((step) => step.startsWith("delete"));
  const lastCreation = run.steps.findLastIndex((step) => /^(create|replace|update)/.test(step));
  expect(firstDeletion).toBeGreaterThan(lastCreation);
  expect(run.gateway.reviews).toBeGreaterThan(10);
  expect(run.gateway.failures.filter(({ at }) => at < run.deletions)).toEqual([]);
}

describe("a change of the account's name", () => {
  test("makes account, binding, Secret and token anew before the old ones go", async () => {
    stack = await TestStack.make("rename", { kubeconfig, allowLoopbackHost: true, ...home.settings });
    await stack.up();
    const run = await change({ serviceAccountName: "other-reviewer" });
    expectNewBeforeOld(run);
    expect(run.steps.filter((step) => step.startsWith("replace")).sort()).toEqual([
      "replace ClusterRoleBinding",
      "replace ReviewerToken",
      "replace Secret",
      "replace ServiceAccount",
    ]);
    expect(run.steps.filter((step) => step.startsWith("delete")).sort()).toEqual([
      "delete-replaced ClusterRoleBinding",
      "delete-replaced ReviewerToken",
      "delete-replaced Secret",
      "delete-replaced ServiceAccount",
    ]);
    expect((await reviewSelf(run.fresh)).username).toMatch(/:other-reviewer$/);
    expect((await reviewSelf(run.old)).authenticated).toBe(false);
    expect(added(before, await inventory(admin))).toEqual([
      "ClusterRole gateway-token-reviewer-#",
      "ClusterRoleBinding gateway-token-reviewer-#",
      `Namespace ${home.shown}`,
      `Secret ${home.shown}/other-reviewer-token`,
      `ServiceAccount ${home.shown}/other-reviewer`,
    ]);
  });

  test("keeps a binding whose name is fixed, for two of one name can't be", async () => {
    stack = await TestStack.make("fixed", {
      kubeconfig,
      allowLoopbackHost: true,
      bindingName: "k8sauth-test-fixed",
      ...home.settings,
    });
    await stack.up();
    const run = await change({ serviceAccountName: "other-reviewer" });
    expect(run.steps).toContain("update ClusterRoleBinding");
    expect((await reviewSelf(run.fresh)).authenticated).toBe(true);
  });
});

test("a change of the namespace moves everything that is in it, new before old", async () => {
  stack = await TestStack.make("move", { kubeconfig, allowLoopbackHost: true, namespace: "k8sauth-test-one" });
  await stack.up();
  const run = await change({ namespace: "k8sauth-test-two" });
  expectNewBeforeOld(run);
  expect(run.steps).toContain("delete-replaced Namespace");
  expect((await reviewSelf(run.fresh)).authenticated).toBe(true);
  expect((await reviewSelf(run.old)).authenticated).toBe(false);
  const objects = added(before, await inventory(admin));
  expect(objects).toContain("Namespace k8sauth-test-two");
  expect(objects.filter((object) => object.includes("k8sauth-test-one"))).toEqual([]);
});

describe("a change of the reviewer's role", () => {
  test("makes a new binding before the old one goes, and the token lives on", async () => {
    stack = await TestStack.make("role", { kubeconfig, allowLoopbackHost: true, ...home.settings });
    await stack.up();
    const run = await change({ reviewerRole: "auth-delegator" });
    expectNewBeforeOld(run);
    expect(run.gateway.failures).toEqual([]);
    expect(run.fresh.token).toBe(run.old.token);
    expect(run.steps).toEqual([
      "replace ClusterRoleBinding",
      "delete-replaced ClusterRoleBinding",
      "delete ClusterRole",
    ]);
  });

  test("deletes a binding with a fixed name first, and the state contains one alone", async () => {
    stack = await TestStack.make("fixed-role", {
      kubeconfig,
      allowLoopbackHost: true,
      bindingName: "k8sauth-test-fixed",
      ...home.settings,
    });
    await stack.up();
    const run = await change({ reviewerRole: "auth-delegator" });
    expect(run.steps).toContain("replace ClusterRoleBinding");
    expect((await reviewSelf(run.fresh)).authenticated).toBe(true);
    const { roleRef } = await admin.get("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k8sauth-test-fixed");
    expect(roleRef).toMatchObject({ name: "system:auth-delegator" });
    await stack.up();
    expect(stack.steps).toEqual([]);
  });
});
