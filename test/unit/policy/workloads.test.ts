import { describe, expect, test } from "vitest";
import { judge, judgeStack, passed, unknown } from "./judge.ts";

const deploymentType = "kubernetes:apps/v1:Deployment";
const digest = `registry.example/node@sha256:${"0123456789abcdef".repeat(4)}`;

const good = {
  name: "verifier",
  image: digest,
  securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
};

const goodPod = { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true }, containers: [good] };

function deployment(spec: object, labels: unknown = { app: "verifier" }, namespace: unknown = "verifier") {
  const template = { metadata: { labels }, spec: { ...goodPod, ...spec } };
  return { type: deploymentType, name: "verifier", props: { metadata: { namespace }, spec: { template } } };
}

function container(changes: object) {
  return deployment({ containers: [good, { ...good, name: "other", ...changes }] });
}

const podRules = [
  "workload-non-root",
  "workload-read-only-root",
  "workload-no-privileges",
  "no-automounted-token",
  "image-pinned",
];

test.each(podRules)("%s accepts a hardened pod in any workload", (rule) => {
  expect(judge(rule, deployment({}))).toEqual(passed);
  const template = { spec: goodPod };
  for (const [kind, props] of [
    ["core/v1:Pod", template],
    ["batch/v1:Job", { spec: { template } }],
    ["batch/v1:CronJob", { spec: { jobTemplate: { spec: { template } } } }],
    ["apps/v1:StatefulSet", { spec: { template } }],
  ] as const) {
    expect(judge(rule, { type: `kubernetes:${kind}`, props })).toEqual(passed);
    expect(judge(rule, { type: `kubernetes:${kind}Patch`, props })).toEqual(passed);
  }
  for (const type of ["core/v1:Service", "apps.kruise.io/v1alpha1:StatefulSet"])
    expect(judge(rule, { type: `kubernetes:${type}`, props: {} }).applies).toBe(false);
});

test.each(podRules)("%s does not pass an unknown pod", (rule) => {
  const spec = { template: { spec: unknown } };
  expect(judge(rule, { type: deploymentType, props: { spec } })).toEqual({ ...passed, unknown: true });
});

test.each([
  ["workload-non-root", { securityContext: { ...good.securityContext, runAsNonRoot: false } }],
  ["workload-non-root", { securityContext: { ...good.securityContext, runAsUser: 0 } }],
  ["workload-read-only-root", { securityContext: { allowPrivilegeEscalation: false } }],
  ["workload-no-privileges", { securityContext: { readOnlyRootFilesystem: true } }],
  ["workload-no-privileges", { securityContext: { ...good.securityContext, privileged: true } }],
  ["image-pinned", { image: "registry.example/node:24" }],
  ["image-pinned", { image: undefined }],
])("%s refuses a container with %o beside good ones", (rule, changes) => {
  expect(judge(rule, container(changes)).violations).toEqual([expect.stringContaining("The container other ")]);
});

test("an init container counts, also beside an unknown container", () => {
  const initContainers = [
    { ...good, name: "first", image: unknown },
    { ...good, name: "second", image: "node:24" },
  ];
  expect(judge("image-pinned", deployment({ initContainers }))).toMatchObject({
    violations: { length: 1 },
    unknown: true,
  });
});

test("a container's security context has priority over the pod's", () => {
  const containers = [{ ...good, securityContext: { ...good.securityContext, runAsNonRoot: true, runAsUser: 65_532 } }];
  expect(judge("workload-non-root", deployment({ containers, securityContext: {} }))).toEqual(passed);
  expect(judge("workload-non-root", deployment({ securityContext: {} })).violations).toHaveLength(1);
});

test("no-automounted-token refuses pods and accounts that do not disable it", () => {
  const account = (props: object) => ({ type: "kubernetes:core/v1:ServiceAccount", props });
  expect(
    judge("no-automounted-token", deployment({ automountServiceAccountToken: undefined })).violations,
  ).toHaveLength(1);
  expect(judge("no-automounted-token", account({})).violations).toHaveLength(1);
  expect(judge("no-automounted-token", account({ automountServiceAccountToken: true })).violations).toHaveLength(1);
  expect(judge("no-automounted-token", account({ automountServiceAccountToken: false }))).toEqual(passed);
  expect(judge("no-automounted-token", account({ automountServiceAccountToken: unknown })).unknown).toBe(true);
});

test("image-pinned ignores exempt images", () => {
  const config = { exempt: ["localhost/*"] };
  expect(judge("image-pinned", container({ image: "localhost/node:24" }), config)).toEqual(passed);
  expect(judge("image-pinned", container({ image: "example/localhost/node:24" }), config).violations).toHaveLength(1);
});

describe("verifier-audience", () => {
  const rule = "verifier-audience";
  const label = { "app.kubernetes.io/name": "k8sauth-verifier" };
  const own = (changes: object, labels: unknown = label) =>
    deployment({ containers: [{ ...good, ...changes }] }, labels);
  const config = (data: unknown) => ({
    type: "kubernetes:core/v1:ConfigMap",
    urn: "urn:pulumi:dev::k8sauth::k8sauth:index:Verifier$kubernetes:core/v1:ConfigMap::verifier",
    props: { data },
  });

  test.each([
    { env: [{ name: "K8SAUTH_VERIFIER_AUDIENCE", value: "shop" }] },
    { env: [{ name: "AUDIENCES", valueFrom: { configMapKeyRef: {} } }] },
    { args: ["verifier.mjs", "--audience", "shop"] },
    { args: ["--audience=shop"] },
  ])("takes a verifier with %o", (changes) => {
    expect(judge(rule, own(changes))).toEqual(passed);
  });

  test.each([{}, { env: [{ name: "AUDIENCE", value: "" }] }, { args: ["--audience"] }])(
    "refuses one with %o",
    (changes) => {
      expect(judge(rule, own(changes)).violations).toHaveLength(1);
    },
  );

  test("ignores other workloads", () => {
    expect(judge(rule, own({}, { app: "shop" }))).toEqual(passed);
    expect(judge(rule, own({}, { app: "shop", "app.kubernetes.io/name": unknown })).unknown).toBe(true);
  });

  test("reads the configuration of the component's verifier", () => {
    for (const file of [{ audience: ["shop"] }, { issuers: [{ issuer: "https://a", audience: "shop" }] }]) {
      expect(judge(rule, config({ "config.json": JSON.stringify(file) }))).toEqual(passed);
    }
    for (const text of [
      "{}",
      '{"audience":[]}',
      '{"audience":""}',
      '{"audience":"shop","issuers":[{"audience":[]}]}',
      "{",
    ]) {
      expect(judge(rule, config({ "config.json": text })).violations).toHaveLength(1);
    }
    expect(judge(rule, config(unknown)).unknown).toBe(true);
  });
});

describe("workload-network-policy", () => {
  const rule = "workload-network-policy";
  const policy = (podSelector: object | undefined, namespace: unknown = "verifier", policyTypes?: string[]) => ({
    type: "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    props: { metadata: { namespace }, spec: { podSelector, policyTypes } },
  });

  test.each([
    ["by labels", policy({ matchLabels: { app: "verifier" } }, "verifier", ["Ingress", "Egress"])],
    ["all pods", policy({})],
    ["by expressions", policy({ matchExpressions: [{ key: "app", operator: "In", values: ["a", "verifier"] }] })],
    ["by absence", policy({ matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] })],
  ])("takes a workload whose pods one selects %s", (_how, selecting) => {
    expect(judgeStack(rule, [selecting, deployment({})])).toEqual(passed);
  });

  test.each([
    ["none is there", []],
    ["one selects others", [policy({ matchLabels: { app: "shop" } })]],
    ["one demands more labels", [policy({ matchLabels: { app: "verifier", tier: "x" } })]],
    ["one is in another namespace", [policy({}, "shop")]],
    ["one limits what goes out", [policy({}, "verifier", ["Egress"])]],
    ["one excludes them", [policy({ matchExpressions: [{ key: "app", operator: "NotIn", values: ["verifier"] }] })]],
  ])("refuses one where %s", (_why, others) => {
    expect(judgeStack(rule, [...others, deployment({})]).violations).toEqual([
      expect.stringContaining("pods of verifier."),
    ]);
  });

  test("does not pass unknown namespaces or selectors", () => {
    expect(judgeStack(rule, [policy({}, unknown), deployment({})]).unknown).toBe(true);
    expect(judgeStack(rule, [policy({}), deployment({}, {}, null)]).unknown).toBe(true);
    expect(judgeStack(rule, [policy({ matchLabels: unknown as unknown as object }), deployment({})]).unknown).toBe(
      true,
    );
  });
});

describe("namespaces", () => {
  const inNamespace = (type: string, namespace?: string) => ({
    type: `kubernetes:${type}`,
    props: { metadata: { namespace } },
  });

  test("no-default-namespace refuses shared namespaces", () => {
    const rule = "no-default-namespace";
    expect(judge(rule, inNamespace("core/v1:Secret", "default")).violations).toHaveLength(1);
    expect(judge(rule, inNamespace("apps/v1:Deployment", "kube-system")).violations).toHaveLength(1);
    expect(judge(rule, inNamespace("core/v1:Secret", "gateways"))).toEqual(passed);
    expect(judge(rule, inNamespace("core/v1:Secret", "shared"), { namespaces: ["shared"] }).violations).toHaveLength(1);
    expect(judge(rule, inNamespace("core/v1:Namespace"))).toEqual(passed);
    expect(judge(rule, inNamespace("helm.sh/v3:Release", "default")).applies).toBe(false);
  });

  test("no-default-namespace refuses custom resources whose group begins as a module of the SDK", () => {
    const type = "helm.toolkit.fluxcd.io/v2:HelmRelease";
    expect(judge("no-default-namespace", inNamespace(type, "default")).violations).toHaveLength(1);
  });

  test("no-default-namespace does not pass a namespace that the provider sets later", () => {
    expect(judge("no-default-namespace", inNamespace("core/v1:Secret")).unknown).toBe(true);
    expect(judge("no-default-namespace", inNamespace("core/v1:Secret", unknown)).unknown).toBe(true);
  });

  test("namespace-restricted reports namespaces that enforce a weaker standard", () => {
    const rule = "namespace-restricted";
    const enforcing = (level: unknown) => ({
      type: "kubernetes:core/v1:Namespace",
      props: { metadata: { labels: { "pod-security.kubernetes.io/enforce": level } } },
    });
    expect(judge(rule, enforcing("restricted"))).toEqual(passed);
    expect(judge(rule, enforcing("baseline")).violations).toHaveLength(1);
    expect(judge(rule, enforcing("baseline"), { levels: ["restricted", "baseline"] })).toEqual(passed);
    expect(judge(rule, { type: "kubernetes:core/v1:Namespace", props: {} }).violations).toHaveLength(1);
    expect(judge(rule, enforcing(unknown)).unknown).toBe(true);
  });
});
