/** The Kubernetes plugin takes over an object that has the name it asks for: the preflight has to find it before. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type KubeClient, type KubeObject, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, inventory } from "../../support/inventory.ts";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { ReadyPods } from "../../support/readyPods.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { bindingOf, clusterType, fresh, kubeconfigFor } from "../providerFixture.ts";

interface Name {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

const kubeconfig = workerKubeconfig();
const rbac = "rbac.authorization.k8s.io/v1";
const rules = [{ resources: ["pods"], verbs: ["get"] }];
let admin: KubeClient;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
afterAll(() => admin?.close());

const pathOf = ({ apiVersion, kind, namespace, name }: Name) => pathFor(apiVersion, kind, namespace, name);
const words = ({ kind, namespace, name }: Name) => `${kind} "${name}"${namespace ? ` in namespace ${namespace}` : ""}`;

/** Objects of others, deleted at the end. */
class Foreign implements AsyncDisposable {
  readonly #names: Name[] = [];
  readonly #objects = new Map<Name, KubeObject>();

  async put(name: Name, rest: object = {}): Promise<void> {
    const { apiVersion, kind, namespace } = name;
    const object = { ...rest, apiVersion, kind, metadata: { name: name.name, namespace } };
    await admin.create(pathFor(apiVersion, kind, namespace), object);
    this.#names.push(name);
  }

  /** Remembers the objects as they are, once their controllers have no more to say about them. */
  async settle(): Promise<void> {
    for (const name of this.#names) {
      const observed = ["Deployment", "PodDisruptionBudget"].includes(name.kind);
      await vi.waitUntil(
        async () => {
          const { status } = await admin.get<{ status?: { observedGeneration?: number } }>(pathOf(name));
          return !observed || status?.observedGeneration === 1;
        },
        { timeout: 30_000, interval: 50 },
      );
      this.#objects.set(name, await admin.get(pathOf(name)));
    }
  }

  async expectUnchanged(): Promise<void> {
    expect(this.#objects.size).toBeGreaterThan(0);
    for (const [name, object] of this.#objects) expect(await admin.get(pathOf(name)), words(name)).toEqual(object);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names.toReversed()) await admin.delete(pathOf(name), { ignoreNotFound: true });
  }
}

/** Messages of an `up` of a new stack, which must create nothing. */
async function refusal(settings: Record<string, Value>): Promise<string> {
  const before = await inventory(admin);
  await using stack = await TestStack.make("names", { kubeconfig, allowLoopbackHost: true, ...settings });
  const failure = await stack.up().then(
    () => expect.fail("the up succeeded"),
    (error: Error) => error.message,
  );
  expect(await objectsOf(stack)).toEqual([]);
  expect(await inventory(admin)).toEqual(before);
  return failure;
}

interface SavedResource {
  readonly type: string;
  readonly inputs?: { readonly apiVersion?: string; readonly kind?: string; readonly metadata?: Metadata };
  readonly outputs?: { readonly reservedNames?: readonly Name[] };
}
interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function resourcesOf({ stateFile }: TestStack): Promise<readonly SavedResource[]> {
  const { checkpoint } = JSON.parse(await readFile(stateFile, "utf8")) as {
    checkpoint: { latest: { resources?: SavedResource[] } };
  };
  return checkpoint.latest.resources ?? [];
}

/** The Kubernetes objects that the state has. */
async function objectsOf(stack: TestStack): Promise<readonly (Name & { readonly generated: boolean })[]> {
  return (await resourcesOf(stack)).flatMap(({ type, inputs: { apiVersion = "", kind = "", metadata = {} } = {} }) => {
    if (!type.startsWith("kubernetes:")) return [];
    const { name = "", namespace, annotations = {} } = metadata;
    const generated = annotations["pulumi.com/autonamed"] === "true";
    return [{ apiVersion, kind, ...(namespace && { namespace }), name, generated }];
  });
}

/** A reviewer, users in both token modes and a verifier, all in one namespace. */
function everything(namespace: string, createNamespace: boolean): Record<string, Value> {
  return {
    namespace,
    createNamespace,
    bindingName: namespace,
    bearerTokenUsers: {
      reader: { namespace, rules },
      keeper: { namespace, rules, tokenMode: "secret", scope: "cluster" },
    },
    verifier: true,
    verifierAudiences: ["shop"],
    verifierNamespace: namespace,
    verifierCreateNamespace: false,
  };
}

describe("an object that has the name which a stack asks for", () => {
  const namespace = fresh("k8sauth-test-names");
  const within = (kind: string, name: string, apiVersion = "v1"): Name => ({ apiVersion, kind, namespace, name });
  const labels = { app: "other" };
  const objects: readonly (readonly [Name, object?])[] = [
    [within("ServiceAccount", "gateway-token-reviewer")],
    [within("Secret", "gateway-token-reviewer-token"), { data: { token: "b3RoZXI=" } }],
    [within("ServiceAccount", "reader")],
    [within("Secret", "reader-bound-token"), { data: { token: "b3RoZXI=" } }],
    [within("ServiceAccount", "keeper")],
    [within("Secret", "keeper-token"), { data: { token: "b3RoZXI=" } }],
    [within("ServiceAccount", "verifier")],
    [within("Service", "verifier"), { spec: { selector: labels, ports: [{ port: 80 }] } }],
    [
      within("Deployment", "verifier", "apps/v1"),
      {
        spec: {
          replicas: 0,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: "other", image: "other" }] } },
        },
      },
    ],
    [
      within("PodDisruptionBudget", "verifier", "policy/v1"),
      { spec: { minAvailable: 1, selector: { matchLabels: labels } } },
    ],
    [within("NetworkPolicy", "verifier", "networking.k8s.io/v1"), { spec: { podSelector: {} } }],
    [
      { apiVersion: rbac, kind: "ClusterRoleBinding", name: namespace },
      { ...bindingOf(namespace, "default", "other", "view"), metadata: undefined },
    ],
  ];
  let foreign: Foreign;
  let failure: string;

  beforeAll(async () => {
    foreign = new Foreign();
    await foreign.put({ apiVersion: "v1", kind: "Namespace", name: namespace });
    for (const [name, rest] of objects) await foreign.put(name, rest);
    await foreign.settle();
    failure = await refusal(everything(namespace, false));
  });
  afterAll(() => foreign?.[Symbol.asyncDispose]());

  test.each(objects.map(([name]) => [words(name)]))("stops the up before anything is created: %s", (name) => {
    expect(failure).toContain("CLUSTER_NAME_TAKEN");
    expect(failure).toContain(`a ${name} already`);
  });

  test("stays as it is", () => foreign.expectUnchanged());

  test("stops it in the other token mode too", async () => {
    await using other = new Foreign();
    const name = within("Secret", "gateway-token-reviewer-bound-token");
    await other.put(name);
    await other.settle();
    const settings = { namespace, createNamespace: false, tokenMode: "tokenRequest" };
    expect(await refusal(settings)).toContain(`a ${words(name)} already`);
    await other.expectUnchanged();
  });
});

test("namespaces that others have are refused for reviewer, verifier and users, and stay as they are", async () => {
  await using foreign = new Foreign();
  const [reviewer = "", verifier = "", user = ""] = [1, 2, 3].map(() => fresh("k8sauth-test-home"));
  for (const name of [reviewer, verifier, user]) await foreign.put({ apiVersion: "v1", kind: "Namespace", name });
  await foreign.settle();
  const failure = await refusal({
    namespace: reviewer,
    bearerTokenUsers: { reader: { namespace: user, createNamespace: true, rules } },
    verifier: true,
    verifierAudiences: ["shop"],
    verifierNamespace: verifier,
  });
  for (const name of [reviewer, verifier, user]) expect(failure).toContain(`a Namespace "${name}" already`);
  await foreign.expectUnchanged();
});

describe.each([true, false])("a stack with fixed names, createNamespace %s,", (createNamespace) => {
  const namespace = fresh("k8sauth-test-own");
  let foreign: Foreign;
  let pods: ReadyPods;
  let stack: TestStack;

  beforeAll(async () => {
    foreign = new Foreign();
    if (!createNamespace) await foreign.put({ apiVersion: "v1", kind: "Namespace", name: namespace });
    pods = new ReadyPods(admin, "app.kubernetes.io/name=verifier");
    const settings = everything(namespace, createNamespace);
    stack = await TestStack.make("names", { kubeconfig, allowLoopbackHost: true, ...settings });
    await stack.up();
  });
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await pods?.[Symbol.asyncDispose]();
    await foreign?.[Symbol.asyncDispose]();
  });

  test("has had each of them checked, and takes them for its own from then on", async () => {
    const fixed = (await objectsOf(stack)).flatMap(({ generated, ...name }) => (generated ? [] : [words(name)]));
    const checked = (await resourcesOf(stack)).flatMap(({ outputs }) => outputs?.reservedNames ?? []);
    expect(fixed.length).toBeGreaterThan(11);
    expect(checked.map(words).sort()).toEqual(fixed.sort());
    await stack.up();
    expect(stack.steps).toEqual([]);
  });

  test("does not take over what others put under another name that it comes to ask for", async () => {
    await using other = new Foreign();
    const name = { apiVersion: "v1", kind: "ServiceAccount", namespace, name: "other-reviewer" };
    await other.put(name);
    await other.settle();
    await stack.configure({ serviceAccountName: name.name });
    await expect(stack.up()).rejects.toThrow(`a ${words(name)} already`);
    expect(stack.steps).toEqual([]);
    await other.expectUnchanged();
    await stack.configure({ serviceAccountName: undefined });
  });
});

test("two resources of one stack do not share an object", async () => {
  const namespace = fresh("k8sauth-test-shared");
  const settings = everything(namespace, true);
  expect(await refusal({ ...settings, bearerTokenUsers: { verifier: { namespace, rules } } })).toContain(
    `lists ServiceAccount "verifier" in namespace ${namespace} twice`,
  );
});

test("a name that the deployer may not look up is not taken for free", async () => {
  await using foreign = new Foreign();
  const user = fresh("names-blind");
  await foreign.put({ apiVersion: "v1", kind: "ServiceAccount", namespace: "default", name: user });
  const path = `${pathFor("v1", "ServiceAccount", "default", user)}/token`;
  const { status } = await admin.create<{ status: { token: string } }>(path, { spec: {} });
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  await using engine = await startEngine();
  await using plugin = await Plugin.start(engine);
  const inputs = {
    kubeconfig: secretOf(kubeconfigFor(server, caPem, { token: status.token })),
    allowLoopback: true,
    rights: [],
    requiredObjects: [],
    certificateRequests: [],
    reservedNames: [{ apiVersion: "v1", kind: "Secret", namespace: "default", name: "gateway" }],
  };
  await expect(plugin.create(clusterType, inputs)).rejects.toThrow(/KUBE_FORBIDDEN.*secrets "gateway"/);
});
