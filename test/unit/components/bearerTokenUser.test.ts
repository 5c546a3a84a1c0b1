import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { BearerTokenUser } from "../../../components/index.ts";
import type { PolicyRule } from "../../../components/rbac/rules.ts";
import { caPem, listed, only, ownLabels, render, resolved, token } from "./render.ts";

const rules: PolicyRule[] = [{ resources: ["pods"], verbs: ["get", "list"] }];
const apiGroup = "rbac.authorization.k8s.io";

test("rules within a namespace: a Role, its binding, and a token that expires", async () => {
  // WHEN
  const { objects } = await render((cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", rules }));

  // THEN
  expect(listed(objects)).toEqual([
    "k8sauth:index:ReviewerToken reader",
    "kubernetes:core/v1:Secret reader-bound",
    "kubernetes:core/v1:ServiceAccount reader",
    "kubernetes:rbac.authorization.k8s.io/v1:Role reader",
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding reader",
  ]);
  expect(only(objects, "ServiceAccount")).toMatchObject({
    metadata: { name: "reader", namespace: "shop", labels: ownLabels },
    automountServiceAccountToken: false,
  });
  expect(only(objects, "Role")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "Role",
    metadata: { namespace: "shop", labels: ownLabels },
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }],
  });
  expect(only(objects, "RoleBinding")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "RoleBinding",
    metadata: { namespace: "shop", labels: ownLabels },
    roleRef: { apiGroup, kind: "Role", name: "reader-generated" },
    subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "shop" }],
  });
  expect(only(objects, "ReviewerToken")).toMatchObject({
    mode: "tokenRequest",
    proof: "self",
    namespace: "shop",
    serviceAccountName: "reader",
    secretName: "reader-bound-token",
  });
});

test("rules of the whole cluster: a ClusterRole and its binding", async () => {
  // WHEN
  const { objects } = await render(
    (cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", rules, scope: "cluster" }),
  );

  // THEN
  expect(only(objects, "ClusterRole")).toMatchObject({
    rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] }],
  });
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({
    roleRef: { kind: "ClusterRole", name: "reader-generated" },
    subjects: [{ kind: "ServiceAccount", name: "reader", namespace: "shop" }],
  });
});

test.each([
  ["namespace", "RoleBinding"],
  ["cluster", "ClusterRoleBinding"],
] as const)("a ClusterRole that exists is bound in the scope %s, and no role is created", async (scope, kind) => {
  // WHEN
  const { objects } = await render(
    (cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", clusterRole: "view", scope }),
  );

  // THEN
  expect(objects.filter(({ type }) => /Role$/.test(type))).toEqual([]);
  expect(only(objects, kind)).toMatchObject({ roleRef: { apiGroup, kind: "ClusterRole", name: "view" } });
});

test("createNamespace creates the namespace, and all objects are in it", async () => {
  // WHEN
  const { objects } = await render(
    (cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", createNamespace: true, rules }),
  );

  // THEN
  expect(only(objects, "Namespace")).toMatchObject({
    metadata: { name: "shop", labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  for (const type of ["ServiceAccount", "Secret", "Role", "RoleBinding"])
    expect(only(objects, type)).toMatchObject({ metadata: { namespace: "shop" } });
});

test("the kubeconfig is a secret and has the user's token, namespace and cluster", async () => {
  // WHEN
  const { component } = await render((cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", rules }));

  // THEN
  expect(await pulumi.isSecret(component.kubeconfig)).toBe(true);
  expect(parse(await resolved(component.kubeconfig))).toMatchObject({
    "current-context": expect.any(String),
    clusters: [
      {
        name: "dev",
        cluster: {
          server: "https://api.example:6443",
          "certificate-authority-data": btoa(caPem),
        },
      },
    ],
    users: [{ name: "reader", user: { token } }],
    contexts: [{ context: { cluster: "dev", user: "reader", namespace: "shop" } }],
  });
});

test.each([
  ["neither rules nor a role", {}, "rules: set either rules or clusterRole."],
  ["both", { rules, clusterRole: "view" }, "rules: set either rules or clusterRole."],
  ["a wildcard", { rules: [{ resources: ["*"], verbs: ["get"] }] satisfies PolicyRule[] }, "rules"],
])("%s is refused before anything is registered", async (_, args, message) => {
  await expect(
    render((cluster) => new BearerTokenUser("reader", { cluster, namespace: "shop", ...args })),
  ).rejects.toThrow(message);
});
