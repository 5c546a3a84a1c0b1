import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { type KubeClient, type KubeObject, pathFor } from "../../kubernetes/index.ts";
import { makeCertificate } from "../../sandbox/cluster/certificate.ts";
import { type Exception, exceptions, withoutExceptions } from "../linters/exceptions.ts";
import { ensureLinters, lint } from "../linters/index.ts";
import { manifestsOf } from "../linters/manifests.ts";
import { adminOf, lodging } from "../support/inventory.ts";
import type { Value } from "../support/pulumi/stack.ts";
import { program, TestStack } from "../support/pulumi/stack.ts";
import { ReadyPods } from "../support/readyPods.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
const rules = [{ resources: ["pods"], verbs: ["get"] }];
const user = { createNamespace: true, rules };
const modes = ["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"];
const needed = new Set<Exception>();
/** Every kind that was linted, as the SDK calls it. */
const kinds = new Set<string>();
let admin: KubeClient;
let verifier: TestStack;
let pods: ReadyPods;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  pods = new ReadyPods(admin, "app.kubernetes.io/name=verifier");
  verifier = await makeStack("verifier", { tokenFlow: false, verifier: true, verifierAudiences: ["shop"] });
  await ensureLinters();
}, 900_000);

afterAll(async () => {
  await verifier?.[Symbol.asyncDispose]();
  await pods?.[Symbol.asyncDispose]();
  admin?.close();
});

const makeStack = (name: string, settings: Record<string, Value>) =>
  TestStack.make(name, { kubeconfig, allowLoopbackHost: true, ...settings });

/** Makes the stack, and lints what it deploys. */
async function deploy(stack: TestStack): Promise<KubeObject[]> {
  await stack.up();
  const manifests = await manifestsOf(stack);
  const report = await lint(admin, manifests);
  expect(report.validated).toBe(manifests.length);
  const { left, needed: used } = withoutExceptions(report.findings);
  expect(left).toEqual([]);
  for (const exception of used) needed.add(exception);
  for (const { kind } of manifests) kinds.add(String(kind));
  return manifests;
}

interface PodSpec {
  readonly securityContext: Record<string, unknown>;
  readonly containers: [Record<string, unknown> & { securityContext: Record<string, unknown> }];
}

interface Deployment extends KubeObject {
  readonly spec: { template: { spec: PodSpec } };
}

function deploymentIn(manifests: readonly KubeObject[]): Deployment {
  return manifests.find(({ kind }) => kind === "Deployment") as Deployment;
}

/** Asks the API server for a pod as the verifier's Deployment makes it, but for changes; it is not made. */
async function tryPod(changes: object = {}): Promise<KubeObject> {
  const { metadata, spec: wanted } = deploymentIn(await manifestsOf(verifier));
  const spec = { ...wanted.template.spec, ...changes };
  const path = pathFor("v1", "Pod", metadata?.namespace);
  return admin.create(path, { apiVersion: "v1", kind: "Pod", metadata: { name: "tried" }, spec }, { dryRun: true });
}

describe("what the program deploys passes kube-score and kubeconform", () => {
  test("with token Secrets, certificates of two generations, users and products' roles", async () => {
    await using stack = await makeStack("linted", {
      certificateFlow: true,
      rotation: { current: "b", previous: ["a"] },
      products: ["consul", "infisical", "spire"],
      bearerTokenUsers: {
        reader: { namespace: "linted-reader", ...user },
        watcher: { namespace: "linted-watcher", ...user, scope: "cluster" },
      },
    });
    await deploy(stack);
  });

  test("with tokens that are asked for, and the cluster's own roles", async () => {
    await using stack = await makeStack("asked", {
      tokenMode: "tokenRequest",
      reviewerRole: "auth-delegator",
      products: ["consul"],
      bearerTokenUsers: {
        viewer: { namespace: "linted-viewer", createNamespace: true, clusterRole: "view", tokenMode: "tokenRequest" },
      },
    });
    await deploy(stack);
  });

  test.each(modes)(
    "with a verifier in the mode %s, whose pods the API server admits as restricted ones",
    async (verifierMode) => {
      await verifier.configure({ verifierMode });
      await deploy(verifier);
      await expect(tryPod()).resolves.toMatchObject({ kind: "Pod" });
    },
  );

  test("with a verifier that has everything that can be set", async () => {
    await using home = await lodging(admin);
    const { namespace } = home.settings;
    const { certPem, keyPem } = makeCertificate({ commonName: "verifier" });
    const base64 = (text: string) => Buffer.from(text).toString("base64");
    await admin.create(pathFor("v1", "Secret", namespace), {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "verifier-tls" },
      type: "kubernetes.io/tls",
      data: { "tls.crt": base64(certPem), "tls.key": base64(keyPem) },
    });
    await using stack = await makeStack("everything", {
      tokenFlow: false,
      akeylessGatewayAccount: "kube-system/default",
      verifier: true,
      verifierAudiences: ["shop", "till"],
      verifierAllow: ["shop/*"],
      verifierReplicas: 2,
      verifierMaxReplicas: 3,
      verifierResources: { cpuLimit: "1", memoryLimit: "256Mi" },
      verifierEgressCidrs: ["0.0.0.0/0"],
      verifierNamespace: namespace,
      verifierCreateNamespace: false,
      verifierCallers: [{ namespaceLabels: { team: "shop" }, podLabels: { app: "orders" } }],
      verifierMonitoring: [{ namespaceLabels: { team: "monitoring" } }],
      verifierTlsSecret: "verifier-tls",
      verifierPriorityClass: "system-cluster-critical",
    });
    await deploy(stack);
  });

  test("in every kind that a component creates", () => {
    const folder = join(program, "components");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const text = files.map((name) => readFileSync(join(folder, name), "utf8"));
    const made = text.flatMap((source) => [...source.matchAll(/new k8s\.\w+\.\w+\.(\w+)\(/g)].map(([, kind]) => kind));
    expect([...kinds].sort()).toEqual([...new Set(made)].sort());
  });
});

describe("the linters find", () => {
  const edited = async (edit: (manifests: KubeObject[]) => void) => {
    const manifests = await manifestsOf(verifier);
    edit(manifests);
    return withoutExceptions((await lint(admin, manifests)).findings).left;
  };

  test.each<[string, RegExp, (pod: PodSpec, object: Deployment) => void]>([
    ["a typo in a field", /'\/spec'.*'replica' not allowed/, (_pod, { spec }) => Object.assign(spec, { replica: 2 })],
    [
      "a typo deep in a pod's template",
      /'\/spec\/template\/spec\/containers\/0'.*'readinesProbe' not allowed/,
      ({ containers: [container] }) => Object.assign(container, { readinesProbe: container.readinessProbe }),
    ],
    [
      "a value of another type",
      /'\/spec\/replicas': got string, want integer/,
      (_pod, { spec }) => Object.assign(spec, { replicas: "2" }),
    ],
  ])("%s", async (_what, message, edit) => {
    const left = await edited((manifests) => {
      const object = deploymentIn(manifests);
      edit(object.spec.template.spec, object);
    });
    const found = { linter: "kubeconform", object: "Deployment/verifier", message: expect.stringMatching(message) };
    expect(left).toEqual([expect.objectContaining(found)]);
  });

  test.each<[string, string, (pod: PodSpec) => void]>([
    [
      "a file system that can be written to",
      "container-security-context-readonlyrootfilesystem",
      ({ containers: [{ securityContext }] }) => Object.assign(securityContext, { readOnlyRootFilesystem: false }),
    ],
    [
      "a privileged container",
      "container-security-context-privileged",
      ({ containers: [{ securityContext }] }) => Object.assign(securityContext, { privileged: true }),
    ],
    [
      "root",
      "container-security-context-user-group-id",
      ({ securityContext }) => Object.assign(securityContext, { runAsUser: 0, runAsGroup: 0 }),
    ],
    [
      "no seccomp profile",
      "container-seccomp-profile",
      ({ securityContext }) => Object.assign(securityContext, { seccompProfile: undefined }),
    ],
  ])("%s", async (_what, check, edit) => {
    const left = await edited((manifests) => edit(deploymentIn(manifests).spec.template.spec));
    expect(new Set(left.map((finding) => `${finding.object} ${finding.check}`))).toEqual(
      new Set([`Deployment/verifier ${check}`]),
    );
  });

  test("pods that no NetworkPolicy is for", async () => {
    const left = await edited((manifests) => {
      manifests.splice(0, manifests.length, ...manifests.filter(({ kind }) => kind !== "NetworkPolicy"));
    });
    expect(left).toContainEqual(expect.objectContaining({ check: "pod-networkpolicy" }));
  });

  test("a kind that the API server does not have", async () => {
    const left = await edited((manifests) =>
      manifests.push({ apiVersion: "v1", kind: "Secrets", metadata: { name: "x" } }),
    );
    expect(left).toEqual([expect.objectContaining({ linter: "kubeconform", object: "Secrets/x" })]);
  });
});

describe("in the verifier's namespace the API server", () => {
  test.each<[string, object, RegExp]>([
    ["on the node's network", { hostNetwork: true }, /host namespaces/],
    ["that may run as root", { securityContext: {} }, /runAsNonRoot/],
    ["that may gain privileges", { containers: [{ name: "verifier", image: "x:1" }] }, /allowPrivilegeEscalation/],
  ])("refuses a pod %s", async (_what, changes, why) => {
    await expect(tryPod(changes)).rejects.toThrow(why);
  });
});

test("the manifests among the examples pass as well", async () => {
  const folder = join(program, "examples");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.ya?ml$/.test(name));
  const served = await servedVersions();
  let count = 0;
  for (const file of files) {
    const documents = parseAllDocuments(readFileSync(join(folder, file), "utf8"));
    const objects = documents.map((document) => document.toJS() as KubeObject | null);
    // Of other products' kinds the API server knows nothing.
    const own = objects.filter((object) => object?.kind !== undefined && served.has(String(object.apiVersion)));
    if (own.length === 0) continue;
    count += own.length;
    const { findings } = await lint(admin, own as KubeObject[]);
    const { left, needed: used } = withoutExceptions(findings);
    expect([file, left]).toEqual([file, []]);
    for (const exception of used) needed.add(exception);
  }
  expect(count).toBeGreaterThan(0);
});

test("no exception is left that nothing needs any more", () => {
  expect(exceptions.filter((exception) => !needed.has(exception))).toEqual([]);
});

/** Every `apiVersion` that the API server has. */
async function servedVersions(): Promise<Set<string>> {
  const { paths } = await admin.get<{ paths: Record<string, unknown> }>("/openapi/v3");
  return new Set(Object.keys(paths).map((path) => path.replace(/^apis?\//, "")));
}
