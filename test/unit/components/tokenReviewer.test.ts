import { expect, test } from "vitest";
import { TokenReviewer, tokenReviewerNames } from "../../../components/tokenReviewer.ts";
import { caPem, listed, only, ownLabels, render, resolved } from "./render.ts";

const apiGroup = "rbac.authorization.k8s.io";
const reviews = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };

test("by default: an account in its own namespace, the right to create TokenReviews, and a token Secret", async () => {
  // WHEN
  const { objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster }));

  // THEN
  expect(listed(objects)).toEqual([
    "k8sauth:index:ReviewerToken reviewer",
    "kubernetes:core/v1:Namespace reviewer",
    "kubernetes:core/v1:Secret reviewer",
    "kubernetes:core/v1:ServiceAccount reviewer",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole reviewer",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding reviewer",
  ]);
  expect(only(objects, "Namespace")).toEqual({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { labels: { ...ownLabels, "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  expect(only(objects, "ServiceAccount")).toEqual({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "gateway-token-reviewer", namespace: "reviewer-generated", labels: ownLabels },
    automountServiceAccountToken: false,
  });
  expect(only(objects, "ClusterRole")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "ClusterRole",
    metadata: { labels: ownLabels },
    rules: [reviews],
  });
  expect(only(objects, "ClusterRoleBinding")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { labels: ownLabels },
    roleRef: { apiGroup, kind: "ClusterRole", name: "reviewer-generated" },
    subjects: [{ kind: "ServiceAccount", name: "gateway-token-reviewer", namespace: "reviewer-generated" }],
  });
  expect(only(objects, "Secret")).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/service-account-token",
    metadata: {
      name: "gateway-token-reviewer-token",
      namespace: "reviewer-generated",
      labels: ownLabels,
      annotations: {
        "kubernetes.io/service-account.name": "gateway-token-reviewer",
        "pulumi.com/skipAwait": "true",
      },
    },
  });
});

test("the token is proved at the cluster's host, and belongs to the account and the Secret by name and UID", async () => {
  // WHEN
  const { objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster, audience: "vault" }));

  // THEN
  expect(only(objects, "ReviewerToken")).toEqual({
    host: "https://api.example:6443",
    caPem,
    issuer: "https://issuer.example",
    audience: "vault",
    namespace: "reviewer-generated",
    serviceAccountName: "gateway-token-reviewer",
    serviceAccountUid: "uid of kubernetes:core/v1:ServiceAccount reviewer",
    secretName: "gateway-token-reviewer-token",
    secretUid: "uid of kubernetes:core/v1:Secret reviewer",
  });
});

test("a token that expires is bound to an empty Secret of another name", async () => {
  // WHEN
  const { objects } = await render(
    (cluster) =>
      new TokenReviewer("reviewer", {
        cluster,
        tokenMode: "tokenRequest",
        tokenExpirationSeconds: 3600,
        tokenRenewBefore: 600,
      }),
  );

  // THEN
  expect(only(objects, "Secret")).toEqual({
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: { name: "gateway-token-reviewer-bound-token", namespace: "reviewer-generated", labels: ownLabels },
  });
  expect(only(objects, "ReviewerToken")).toMatchObject({
    mode: "tokenRequest",
    expirationSeconds: 3600,
    renewBefore: 600,
    secretName: "gateway-token-reviewer-bound-token",
  });
});

test("a rotation has a token Secret for each epoch, and the token of the current one", async () => {
  // GIVEN
  const rotation = { current: "2026-q4", previous: ["2026-q3", ""] };

  // WHEN
  const { component, objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster, rotation }));

  // THEN
  const secrets = objects.filter(({ type }) => type.endsWith(":Secret"));
  expect(listed(secrets)).toEqual([
    "kubernetes:core/v1:Secret reviewer",
    "kubernetes:core/v1:Secret reviewer@2026-q3",
    "kubernetes:core/v1:Secret reviewer@2026-q4",
  ]);
  expect(only(objects, "ReviewerToken")).toMatchObject({ secretName: "gateway-token-reviewer-token-2026-q4" });
  expect(component.secrets.previous).toEqual([
    { epoch: "2026-q3", secret: "gateway-token-reviewer-token-2026-q3" },
    { epoch: "", secret: "gateway-token-reviewer-token" },
  ]);
});

test("given names are used", async () => {
  // GIVEN
  const names = { namespace: "auth", serviceAccountName: "gateway", bindingName: "gateway-reviews" };

  // WHEN
  const { objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster, ...names }));

  // THEN
  expect(only(objects, "Namespace")).toMatchObject({ metadata: { name: "auth" } });
  expect(only(objects, "ServiceAccount")).toMatchObject({ metadata: { name: "gateway", namespace: "auth" } });
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({ metadata: { name: "gateway-reviews" } });
  expect(tokenReviewerNames(names).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    "Namespace auth",
    "ServiceAccount gateway",
    "Secret gateway-token",
    "ClusterRoleBinding gateway-reviews",
  ]);
});

test("an existing namespace is used and not created", async () => {
  // WHEN
  const { component, objects } = await render(
    (cluster) => new TokenReviewer("reviewer", { cluster, namespace: "auth", createNamespace: false }),
  );

  // THEN
  expect(objects.filter(({ type }) => type.endsWith(":Namespace"))).toEqual([]);
  expect(await resolved(component.namespace)).toBe("auth");
});

test("an existing namespace needs a name", async () => {
  await expect(render((cluster) => new TokenReviewer("reviewer", { cluster, createNamespace: false }))).rejects.toThrow(
    "namespace: set the name of an existing namespace",
  );
});

test("the cluster's auth delegator is bound, and no role is created", async () => {
  // WHEN
  const { objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster, role: "auth-delegator" }));

  // THEN
  expect(objects.filter(({ type }) => type.endsWith(":ClusterRole"))).toEqual([]);
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({ roleRef: { name: "system:auth-delegator" } });
});

test.each([
  ["tokenreviews", [reviews, { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get"] }]],
  ["auth-delegator", [{ apiGroups: [""], resources: ["serviceaccounts"], verbs: ["get"] }]],
] as const)("rights of a product are added to the role %s", async (role, rules) => {
  // WHEN
  const { objects } = await render((cluster) => new TokenReviewer("reviewer", { cluster, role, products: ["consul"] }));

  // THEN
  expect(only(objects, "ClusterRole")).toMatchObject({ rules });
  const bindings = objects.filter(({ type }) => type.endsWith(":ClusterRoleBinding"));
  expect(bindings.map(({ name, inputs }) => [name, (inputs.roleRef as { name: string }).name])).toEqual(
    role === "tokenreviews"
      ? [["reviewer", "reviewer-generated"]]
      : [
          ["reviewer", "system:auth-delegator"],
          ["reviewer-products", "reviewer-products-generated"],
        ],
  );
});
