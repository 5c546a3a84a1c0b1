import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { KubeClient, type KubeObject, pathFor } from "../../../kubernetes/index.ts";
import { workloadToken } from "../../../kubernetes/reviews.ts";
import { added, adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import type { Access } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const rbac = "rbac.authorization.k8s.io/v1";
const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let before: string[];
let stack: TestStack;

beforeEach(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  before = await inventory(admin);
});

afterEach(async () => {
  await stack?.[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  admin.close();
});

async function upWith(settings: Record<string, string>): Promise<KubeClient> {
  stack = await TestStack.make("rights", { kubeconfig, allowLoopbackHost: true, ...home.settings, ...settings });
  await stack.up();
  const { host, caPem, token } = (await stack.outputs()).clusterAccess as unknown as Access;
  return KubeClient.direct({ server: host, caPem, token, label: "the reviewer" });
}

/** The rights of the client that a ServiceAccount without a binding lacks. Versions of Kubernetes differ in what every account may do. */
async function rightsOf(client: KubeClient): Promise<string[]> {
  const { namespace } = home.settings;
  const { server, caPem } = admin.connection;
  const token = await workloadToken(admin, namespace, "default", "");
  using unbound = KubeClient.direct({ server, caPem, token, label: "an account without a binding" });
  const common = await allRightsOf(unbound);
  return (await allRightsOf(client)).filter((right) => !common.includes(right)).sort();
}

async function allRightsOf(client: KubeClient): Promise<string[]> {
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectRulesReview",
    spec: { namespace: "default" },
  };
  const { status } = await client.create<KubeObject & { status: Rules }>(
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    body,
  );
  const paths = status.nonResourceRules.flatMap(({ verbs, nonResourceURLs = [] }) =>
    verbs.flatMap((verb) => nonResourceURLs.map((path) => `${verb} ${path}`)),
  );
  const resources = status.resourceRules.flatMap(({ verbs, apiGroups = [], resources = [] }) =>
    verbs.flatMap((verb) => apiGroups.flatMap((group) => resources.map((name) => `${verb} ${name}.${group}`))),
  );
  return [...resources, ...paths];
}

interface Rules {
  readonly resourceRules: { readonly verbs: string[]; readonly apiGroups?: string[]; readonly resources?: string[] }[];
  readonly nonResourceRules: { readonly verbs: string[]; readonly nonResourceURLs?: string[] }[];
}

const reads = ["/api/v1/secrets", "/api/v1/namespaces", "/api/v1/pods", `/apis/${rbac}/clusterroles`];

describe("the reviewer's own role", () => {
  test("lets it create TokenReviews and do nothing else", async () => {
    using reviewer = await upWith({});
    expect(await rightsOf(reviewer)).toEqual(["create tokenreviews.authentication.k8s.io"]);
    for (const path of reads) await expect(reviewer.get(path)).rejects.toMatchObject({ code: "KUBE_FORBIDDEN" });
    const account = `${pathFor("v1", "ServiceAccount", home.settings.namespace, "gateway-token-reviewer")}/token`;
    await expect(reviewer.create(account, { spec: {} })).rejects.toMatchObject({ code: "KUBE_FORBIDDEN" });
  });
});

describe("the role auth-delegator", () => {
  test("is the cluster's own, which may create SubjectAccessReviews too; no role is created", async () => {
    using reviewer = await upWith({ reviewerRole: "auth-delegator" });
    expect(await rightsOf(reviewer)).toEqual([
      "create subjectaccessreviews.authorization.k8s.io",
      "create tokenreviews.authentication.k8s.io",
    ]);
    const objects = added(before, await inventory(admin));
    expect(objects.filter((object) => object.startsWith("ClusterRole "))).toEqual([]);
    const name = (await inventory(admin)).find(
      (object) => /^ClusterRoleBinding gateway-token-reviewer-/.test(object) && !before.includes(object),
    );
    const binding = await admin.get(pathFor(rbac, "ClusterRoleBinding", undefined, name?.split(" ")[1]));
    expect(binding.roleRef).toMatchObject({ kind: "ClusterRole", name: "system:auth-delegator" });
    expect(binding.subjects).toEqual([
      { kind: "ServiceAccount", name: "gateway-token-reviewer", namespace: home.settings.namespace },
    ]);
  });
});
