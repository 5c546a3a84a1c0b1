import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type KubeClient, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { FaultProxy } from "../../support/proxies/faultProxy.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
beforeEach(async () => {
  home = await lodging(admin);
});
afterEach(() => home[Symbol.asyncDispose]());
afterAll(() => admin?.close());

async function stackOf(settings: Record<string, Value>, env: NodeJS.ProcessEnv = {}): Promise<TestStack> {
  return TestStack.make("admission", { kubeconfig, allowLoopbackHost: true, ...settings }, env);
}

/** Errors of `up` and `preview` with these settings, which must create nothing. */
async function refusal(settings: Record<string, Value>, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const before = await inventory(admin);
  await using stack = await stackOf(settings, env);
  const failureOf = (run: Promise<unknown>) =>
    run.then(
      () => expect.fail("the run succeeded"),
      ({ message }: Error) => message,
    );
  const failure = await failureOf(stack.up());
  expect(stack.steps.filter((step) => !/ (Stack|k8sauth|kubernetes)$/.test(step))).toEqual([]);
  const [, error = expect.fail("there is no error")] = failure.split("\n");
  expect(await failureOf(stack.preview())).toContain(error);
  expect(await inventory(admin)).toEqual(before);
  return failure;
}

/** Limits the namespace to as many objects of a kind, and waits until the API server counts them. */
async function limit(resource: string, most: number): Promise<void> {
  const { namespace } = home.settings;
  const path = `/api/v1/namespaces/${namespace}/resourcequotas`;
  const metadata = { name: "limit" };
  const hard = { [`count/${resource}`]: String(most) };
  await admin.create(path, { apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard } });
  type Quota = { readonly status?: { readonly hard?: object } };
  await vi.waitUntil(async () => Object.keys((await admin.get<Quota>(`${path}/limit`)).status?.hard ?? {}).length > 0, {
    timeout: 30_000,
    interval: 100,
  });
}

const verifier = () => ({
  tokenFlow: false,
  verifier: true,
  verifierAudiences: ["https://gateway.example"],
  verifierNamespace: home.settings.namespace,
  verifierCreateNamespace: false,
});
const user = () => ({
  tokenFlow: false,
  bearerTokenUsers: { reader: { namespace: home.settings.namespace, clusterRole: "view", tokenMode: "secret" } },
});

describe("a quota of the namespace that has no room for", () => {
  test.each<[string, string, () => Record<string, Value>, string]>([
    ["the token's Secret", "secrets", () => home.settings, 'Secret "gateway-token-reviewer-token"'],
    [
      "the reviewer's ServiceAccount",
      "serviceaccounts",
      () => home.settings,
      'ServiceAccount "gateway-token-reviewer"',
    ],
    ["a user's Secret", "secrets", user, 'Secret "reader-token"'],
    ["the verifier's Deployment", "deployments.apps", verifier, 'Deployment "verifier"'],
    ["the verifier's Service", "services", verifier, 'Service "verifier"'],
  ])("%s is named before anything is created", async (_what, resource, settings, object) => {
    await limit(resource, 0);
    const failure = await refusal(settings());
    expect(failure).toContain(`${object} in namespace ${home.settings.namespace}: A ResourceQuota denied`);
    expect(failure).toMatch(
      /CLUSTER_OBJECT_REFUSED.*exceeded quota: limit, requested: count\/.*raise the quota of the namespace/,
    );
  });

  test("another object does not stop a stack whose own objects use it up", async () => {
    await limit("secrets", 1);
    await using stack = await stackOf(home.settings);
    await stack.up();
    await stack.preview({ refresh: true }, "--expect-no-changes");
    await stack.configure({ audience: "https://gateway.example" });
    await stack.up();
    await stack.configure({ rotation: { current: "b" } });
    await expect(stack.preview()).rejects.toThrow(/CLUSTER_OBJECT_REFUSED.*Secret "gateway-token-reviewer-token-b"/);
  });
});

test("a policy that refuses token Secrets is quoted before anything is created", async () => {
  const group = "admissionregistration.k8s.io/v1";
  const name = home.settings.namespace;
  const [policies, bindings] = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"].map(
    (resource) => `/apis/${group}/${resource}`,
  ) as [string, string];
  const rule = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] };
  const validation = {
    expression: "object.type != 'kubernetes.io/service-account-token'",
    message: "token Secrets are not allowed",
  };
  const spec = { matchConstraints: { resourceRules: [rule] }, validations: [validation] };
  await admin.create(policies, { apiVersion: group, kind: "ValidatingAdmissionPolicy", metadata: { name }, spec });
  const matchLabels = { "kubernetes.io/metadata.name": name };
  const binding = {
    policyName: name,
    validationActions: ["Deny"],
    matchResources: { namespaceSelector: { matchLabels } },
  };
  await admin.create(bindings, {
    apiVersion: group,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: binding,
  });
  try {
    const type = "kubernetes.io/service-account-token";
    const metadata = { name: "probe", annotations: { "kubernetes.io/service-account.name": "default" } };
    const probe = { apiVersion: "v1", kind: "Secret", metadata, type };
    const tried = () => admin.create(pathFor("v1", "Secret", name), probe, { dryRun: true });
    await vi.waitUntil(
      () =>
        tried().then(
          () => false,
          () => true,
        ),
      { timeout: 30_000, interval: 100 },
    );
    expect(await refusal(home.settings)).toMatch(
      /CLUSTER_OBJECT_REFUSED.*Secret "gateway-token-reviewer-token".*token Secrets are not allowed/,
    );
    await using stack = await stackOf({ ...home.settings, tokenMode: "tokenRequest" });
    await stack.up();
  } finally {
    await admin.delete(`${bindings}/${name}`);
    await admin.delete(`${policies}/${name}`);
  }
});

test("the certificate flow on EKS is refused before its user gets rights, and the token flow works there", async () => {
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  await using proxy = await FaultProxy.start({ server, caPem });
  proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion: "v1.34.1-eks-113cf36" }) });
  const eks = { kubeconfig: kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) }) };
  expect(await refusal({ ...eks, tokenFlow: false, certificateFlow: true })).toMatch(
    /CERTIFICATE_NO_SIGNER.*is EKS, which signs no client certificates.*tokenFlow: true and certificateFlow: false/,
  );
  await using stack = await stackOf({ ...eks, ...home.settings });
  await stack.up();
  expect((await stack.outputs()).cluster).toMatchObject({ distribution: "EKS" });
});

test("Consul's auth config is refused before anything is created if no CA is known, and others are not", async () => {
  const { caPem } = await loadConnection({ kubeconfig }, {});
  await using stack = await stackOf(home.settings);
  // A CA that every program on the machine trusts, as it is with a certificate of a public one.
  const trusted = join(stack.folder, "trusted.pem");
  await writeFile(trusted, caPem);
  const env = { NODE_EXTRA_CA_CERTS: trusted, SSL_CERT_FILE: trusted };
  const bare = { kubeconfig: changedKubeconfig(kubeconfig, { cluster: { "certificate-authority-data": undefined } }) };
  expect(await refusal({ ...home.settings, ...bare, products: ["consul"] }, env)).toMatch(
    /CLUSTER_CA_REQUIRED: The auth config for consul needs the CA of https:.*Set k8sauth:kubernetesCa to the certificate of the CA/,
  );
  await using infisical = await stackOf({ ...home.settings, ...bare, products: ["infisical"] }, env);
  await infisical.up();
  await infisical.configure({ products: ["consul"], kubernetesCa: caPem });
  await infisical.up();
  const { authConfigs } = (await infisical.outputs()) as { authConfigs: { token: { consul: { CACert: string } } } };
  expect(authConfigs.token.consul.CACert).toBe(caPem.replaceAll("\r", ""));
});
