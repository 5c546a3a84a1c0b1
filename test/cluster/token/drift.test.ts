import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, tokenFlowObjects } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
let admin: KubeClient;
let before: string[];
let stack: TestStack;

beforeAll(async () => {
  const kubeconfig = workerKubeconfig();
  admin = await adminOf(kubeconfig);
  before = await inventory(admin);
  stack = await TestStack.make("drift", { kubeconfig, allowLoopbackHost: true });
  await stack.up();
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  admin?.close();
});

/** The API path of the stack's object of a kind. */
async function pathOf(apiVersion: string, kind: string): Promise<string> {
  const found = (await inventory(admin)).find(
    (object) => object.startsWith(`${kind} gateway-token-reviewer`) && !before.includes(object),
  );
  const [first = "", second] = (found ?? expect.fail(`there is no ${kind}`)).slice(kind.length + 1).split("/");
  return second === undefined ? pathFor(apiVersion, kind, undefined, first) : pathFor(apiVersion, kind, first, second);
}

async function remove(path: string): Promise<void> {
  await admin.delete(path);
  while (await admin.find(path)) await sleep(50);
}

async function access(): Promise<Access> {
  return (await stack.outputs()).clusterAccess as unknown as Access;
}

async function expectWhole(): Promise<void> {
  expect(added(before, await inventory(admin))).toEqual(tokenFlowObjects);
  expect(await reviewSelf(await access())).toMatchObject({ authenticated: true });
}

describe("an object deleted behind our back shows on refresh, and the up after it heals it", () => {
  test.each([
    ["ClusterRole", rbac],
    ["ClusterRoleBinding", rbac],
    ["Secret", "v1"],
    ["ServiceAccount", "v1"],
    ["Namespace", "v1"],
  ])("%s", async (kind, apiVersion) => {
    await remove(await pathOf(apiVersion, kind));
    await stack.refresh();
    expect(stack.steps).toContain(`delete ${kind}`);
    await stack.up();
    expect(stack.steps.some((step) => step === `create ${kind}`)).toBe(true);
    await expectWhole();
    expect((await stack.preview()).changes).toEqual({ same: expect.any(Number) });
  });
});

describe("a plain up", () => {
  test("notices a dead token, and says how to heal it", async () => {
    const { token, ...at } = await access();
    await remove(await pathOf("v1", "Secret"));
    // The API server remembers a good review for 10 s.
    while ((await reviewSelf({ ...at, token })).authenticated) await sleep(200);
    const failure = await stack.up().then(
      () => expect.fail("the up succeeded"),
      (error: Error) => error.message,
    );
    expect(failure).toMatch(/TOKEN_SECRET_MISSING/);
    expect(failure).toMatch(/pulumi up --refresh/);
    expect(stack.said).toMatch(/is dead: .* If the token has leaked, set another rotation\.current/);
    await stack.refresh();
    await stack.up();
    await expectWhole();
  });

  test("does not touch what others have put on our objects", async () => {
    const path = await pathOf(rbac, "ClusterRole");
    await admin.apply(
      path,
      { apiVersion: rbac, kind: "ClusterRole", metadata: { labels: { team: "others" } } },
      { fieldManager: "somebody" },
    );
    await stack.refresh();
    expect(stack.steps).toEqual([]);
    await stack.up();
    expect((await admin.get(path)).metadata?.labels).toMatchObject({ team: "others" });
  });
});

test("rights that were widened by hand show on refresh, and the up after it takes them back", async () => {
  const path = await pathOf(rbac, "ClusterRole");
  const live = await admin.get(path);
  const wide = { ...live, rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }] };
  await admin.replace(path, wide, { fieldManager: "kubectl-edit" });
  await stack.refresh();
  expect(stack.steps).toEqual(["update ClusterRole"]);
  await stack.up();
  expect(stack.steps).toEqual(["update ClusterRole"]);
  expect((await admin.get(path)).rules).toEqual(live.rules);
  await expectWhole();
});

test("a difference that another tool insists on is a conflict that names it", async () => {
  const path = await pathOf(rbac, "ClusterRole");
  const live = await admin.get(path);
  const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }];
  const other = { apiVersion: rbac, kind: "ClusterRole", metadata: { name: live.metadata?.name }, rules };
  await admin.apply(path, other, { fieldManager: "argocd", force: true });
  await stack.refresh();
  await expect(stack.up()).rejects.toThrow(/argocd/);
  await admin.replace(path, { ...(await admin.get(path)), rules: live.rules }, { fieldManager: "argocd" });
  await stack.refresh();
  await stack.up();
  await expectWhole();
});
