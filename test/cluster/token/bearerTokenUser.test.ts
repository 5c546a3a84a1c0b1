import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { check } from "../../../cli/check.ts";
import { type KubeClient, pathFor } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, lodging } from "../../support/inventory.ts";
import { kubectl } from "../../support/kubectl.ts";
import type { Outputs as Properties, Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const rbac = "rbac.authorization.k8s.io/v1";
let admin: KubeClient;
let before: string[];
let home: Awaited<ReturnType<typeof lodging>>;
let namespace: string;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  before = await inventory(admin);
  home = await lodging(admin);
  namespace = home.settings.namespace;
});
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

async function make(users: Record<string, Value>): Promise<TestStack> {
  return TestStack.make("users", { kubeconfig, allowLoopbackHost: true, tokenFlow: false, bearerTokenUsers: users });
}

/** The seeds' own example: pods of one namespace. */
const pods = { resources: ["pods"], verbs: ["create", "get", "list", "update", "delete"] };

/** kubectl as a user of the stack. */
async function as(user: string, ...args: string[]) {
  const { kubeconfigs } = (await stack.outputs()) as { kubeconfigs: Record<string, string> };
  return kubectl(stack.folder, kubeconfigs[user] ?? "", ...args);
}

async function failures(): Promise<string[]> {
  const { findings } = await check(await stack.outputs(), admin);
  return findings.filter(({ holds }) => !holds).map(({ claim, seen }) => `${claim} (${seen})`);
}

describe.each(["secret", "tokenRequest"])("a user of one namespace, token mode %s", (tokenMode) => {
  test("does with kubectl what the rules say, there alone, and nothing else", async () => {
    stack = await make({ bearertokenauth: { namespace, rules: [pods], tokenMode, tokenExpirationSeconds: 3600 } });
    await stack.up();
    const objects = added(before, await inventory(admin)).filter((object) => !object.startsWith("Namespace"));
    const place = namespace.replace(/[0-9a-f]{8}$/, "#");
    const suffix = tokenMode === "secret" ? "token" : "bound-token";
    expect(objects).toEqual([
      `Role ${place}/bearertokenauth-#`,
      `RoleBinding ${place}/bearertokenauth-#`,
      `Secret ${place}/bearertokenauth-${suffix}`,
      `ServiceAccount ${place}/bearertokenauth`,
    ]);

    const pod = ["run", "mine", "--image=none", '--overrides={"spec":{"serviceAccountName":"bearertokenauth"}}'];
    expect(await as("bearertokenauth", "auth", "whoami")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`system:serviceaccount:${namespace}:bearertokenauth`),
    });
    expect(await as("bearertokenauth", ...pod)).toMatchObject({ status: 0, stdout: "pod/mine created\n" });
    expect((await as("bearertokenauth", "get", "pods", "-o", "name")).stdout).toBe("pod/mine\n");
    expect((await as("bearertokenauth", "delete", "pod", "mine", "--now", "--wait=false")).status).toBe(0);
    for (const refused of [
      ["get", "secrets"],
      ["get", "pods", "-n", "kube-system"],
      ["get", "pods", "-A"],
      ["create", "serviceaccount", "other"],
      ["get", "clusterroles"],
    ]) {
      expect(await as("bearertokenauth", ...refused)).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/forbidden/i),
      });
    }
    expect(await failures()).toEqual([]);

    await stack.up();
    expect(stack.steps).toEqual([]);
    await stack.destroy();
    expect(added(before, await inventory(admin)).filter((object) => !object.startsWith("Namespace"))).toEqual([]);
  });
});

test("a user in the namespace that this stack creates for its reviewer is created after it, and deleted before it", async () => {
  const shared = namespace.replace("test", "shared");
  const settings = { kubeconfig, allowLoopbackHost: true, namespace: shared };
  stack = await TestStack.make("users", {
    ...settings,
    bearerTokenUsers: { reader: { namespace: shared, rules: [pods] } },
  });
  await stack.up();
  const { checkpoint } = JSON.parse(await readFile(stack.stateFile, "utf8"));
  const resources = checkpoint.latest.resources as { urn: string; dependencies?: string[] }[];
  const of = (urn: RegExp) => resources.find((resource) => urn.test(resource.urn)) ?? expect.fail(String(urn));
  for (const kind of ["ServiceAccount", "Role", "RoleBinding"]) {
    expect(of(new RegExp(`:${kind}::reader$`)).dependencies, kind).toContain(of(/:Namespace::/).urn);
  }
  expect(await failures()).toEqual([]);
  await stack.destroy();
  expect(added(before, await inventory(admin)).filter((object) => !object.startsWith("Namespace"))).toEqual([]);
});

test("users with an existing ClusterRole or rules for all namespaces, whose tokens expire by default", async () => {
  stack = await make({
    viewer: { namespace, clusterRole: "view" },
    watcher: {
      namespace,
      scope: "cluster",
      rules: [
        { resources: ["nodes", "pods/log"], verbs: ["get", "list"] },
        { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
        { resources: ["configmaps"], resourceNames: ["kube-root-ca.crt"], verbs: ["get"] },
      ],
    },
  });
  await stack.up();
  const { credentials, notes } = (await stack.outputs()) as unknown as {
    credentials: Record<string, { notAfter: string }>;
    notes: string[];
  };
  for (const user of ["viewer", "watcher"]) expect(Date.parse(credentials[user]?.notAfter ?? "")).toBeGreaterThan(0);
  expect(notes.join()).toMatch(/tokens of the bearer-token users viewer, watcher expire.*schedule runs/);
  expect((await as("viewer", "get", "configmaps,services")).status).toBe(0);
  expect((await as("viewer", "get", "configmaps", "-n", "kube-system")).stderr).toMatch(/Forbidden/);
  expect((await as("watcher", "get", "nodes,deployments.apps", "-n", "kube-system")).status).toBe(0);
  expect((await as("watcher", "get", "configmap", "kube-root-ca.crt", "-n", "default")).status).toBe(0);
  expect((await as("watcher", "get", "configmaps")).stderr).toMatch(/Forbidden/);
  expect(await failures()).toEqual([]);
});

test("check finds rights that a user got behind our back, and rights that were taken", async () => {
  stack = await make({ reader: { namespace, rules: [{ resources: ["pods"], verbs: ["get", "list"] }] } });
  await stack.up();
  const binding = pathFor(rbac, "RoleBinding", namespace);
  await admin.create(binding, {
    apiVersion: rbac,
    kind: "RoleBinding",
    metadata: { name: "behind-our-back" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "admin" },
    subjects: [{ kind: "ServiceAccount", name: "reader", namespace }],
  });
  expect((await failures()).join()).toMatch(/reader may do nothing else in namespace .*get secrets/);
  await admin.delete(`${binding}/behind-our-back`);
  expect(await failures()).toEqual([]);
  const { items = [] } = await admin.get<{ items?: { metadata: { name: string } }[] }>(binding);
  for (const { metadata } of items) await admin.delete(`${binding}/${metadata.name}`);
  expect((await failures()).join()).toMatch(/lacks get pods, list pods/);
});

test("changed rules are changed in place, and the token lives on", async () => {
  stack = await make({ reader: { namespace, rules: [{ resources: ["pods"], verbs: ["get", "list"] }] } });
  await stack.up();
  const { kubeconfigs } = (await stack.outputs()) as unknown as { kubeconfigs: Properties };
  await stack.configure({
    bearerTokenUsers: { reader: { namespace, rules: [{ resources: ["services"], verbs: ["list"] }] } },
  });
  await stack.up();
  expect(stack.steps).toContain("update Role");
  expect(((await stack.outputs()) as unknown as { kubeconfigs: Properties }).kubeconfigs).toEqual(kubeconfigs);
  expect((await as("reader", "get", "pods")).stderr).toMatch(/Forbidden/);
  expect((await as("reader", "get", "services")).status).toBe(0);
});

test("wildcards that were allowed are given", async () => {
  stack = await make({ all: { namespace, allowWildcards: true, rules: [{ resources: ["*"], verbs: ["*"] }] } });
  await stack.up();
  expect((await as("all", "get", "secrets")).status).toBe(0);
  expect((await as("all", "get", "deployments.apps")).stderr).toMatch(/Forbidden/);
});
