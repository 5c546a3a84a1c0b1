import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, lodging } from "../../support/inventory.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

interface Outputs {
  readonly authConfigs: { readonly token: Record<string, Record<string, string>> };
  readonly clusterAccess: { readonly host: string; readonly caPem: string; readonly token: string };
  readonly kubeconfigs: Record<string, string>;
}

const kubeconfig = workerKubeconfig();
const rbac = "rbac.authorization.k8s.io/v1";
let admin: KubeClient;
let before: string[];
let home: Awaited<ReturnType<typeof lodging>>;
let stack: TestStack;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  before = await inventory(admin);
  home = await lodging(admin);
});
afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});
afterAll(() => admin?.close());

async function up(settings: Record<string, Value>): Promise<Outputs> {
  stack = await TestStack.make("products", { kubeconfig, allowLoopbackHost: true, ...home.settings, ...settings });
  await stack.up();
  return (await stack.outputs()) as unknown as Outputs;
}

/** Statuses of GET requests by the holder of a kubeconfig, by path. */
async function gets(content: string, paths: readonly string[]): Promise<Record<string, string>> {
  using client = new KubeClient(await loadConnection({ kubeconfig: content }, {}));
  const outcomes = paths.map(async (path) => {
    const outcome = await client.find(path).then(
      () => "allowed",
      (error: { code: string }) => error.code,
    );
    return [path, outcome] as const;
  });
  return Object.fromEntries(await Promise.all(outcomes));
}

const account = pathFor("v1", "ServiceAccount", "kube-system", "default");
const pod = pathFor("v1", "Pod", "kube-system", "any");
const node = pathFor("v1", "Node", undefined, "any");
const forbidden = "KUBE_FORBIDDEN";

describe.each(["tokenreviews", "auth-delegator"])("with the reviewer's role %s", (reviewerRole) => {
  test("Consul and Infisical get their auth configs, and Consul's reviewer gets ServiceAccounts", async () => {
    const { authConfigs, clusterAccess, kubeconfigs } = await up({ reviewerRole, products: ["consul", "infisical"] });
    const { host, caPem, token } = clusterAccess;
    expect(authConfigs.token.consul).toEqual({ Host: host, CACert: caPem, ServiceAccountJWT: token });
    expect(authConfigs.token.infisical).toEqual({
      kubernetesHost: host,
      caCert: caPem,
      tokenReviewMode: "api",
      tokenReviewerJwt: token,
      allowedNamespaces: "",
      allowedNames: "",
      allowedAudience: "",
    });
    expect(await reviewSelf(clusterAccess)).toMatchObject({ authenticated: true });
    expect(await gets(kubeconfigs.token ?? "", [account, pod, node])).toEqual({
      [account]: "allowed",
      [pod]: forbidden,
      [node]: forbidden,
    });
    const bindings = added(before, await inventory(admin)).filter((object) => object.startsWith("ClusterRoleBinding"));
    expect(bindings).toHaveLength(reviewerRole === "tokenreviews" ? 1 : 2);
    await stack.up();
    expect(stack.steps).toEqual([]);
  });

  test("SPIRE's kubeconfigs, by token and by certificate, get pods and nodes", async () => {
    const { kubeconfigs } = await up({ reviewerRole, products: ["spire", "consul"], certificateFlow: true });
    expect(await gets(kubeconfigs.token ?? "", [pod, node, account])).toEqual({
      [pod]: "allowed",
      [node]: "allowed",
      [account]: "allowed",
    });
    // A credential that Consul cannot use has no rights for Consul.
    expect(await gets(kubeconfigs.certificate ?? "", [pod, node, account])).toEqual({
      [pod]: "allowed",
      [node]: "allowed",
      [account]: forbidden,
    });
  });
});

test("a product that is dropped loses its rights, and the token lives on", async () => {
  const first = await up({ products: ["spire"] });
  await stack.configure({ products: [] });
  await stack.up();
  const { kubeconfigs } = (await stack.outputs()) as unknown as Outputs;
  expect(kubeconfigs).toEqual(first.kubeconfigs);
  expect(await gets(kubeconfigs.token ?? "", [pod, node])).toEqual({ [pod]: forbidden, [node]: forbidden });
  const { items = [] } = await admin.get<{ items?: { metadata: { name: string } }[] }>(pathFor(rbac, "ClusterRole"));
  expect(items.filter(({ metadata }) => metadata.name.includes("-products-"))).toEqual([]);
});
