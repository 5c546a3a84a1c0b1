import { expect, test } from "vitest";
import { GatewayAccount, gatewayAccountObjects } from "../../../components/gatewayAccount.ts";
import { listed, only, ownLabels, render, resolved } from "./render.ts";

const account = { namespace: "akeyless", serviceAccountName: "gateway" };
const apiGroup = "rbac.authorization.k8s.io";

test("the gateway's ServiceAccount gets the permission to create TokenReviews, and nothing else is created", async () => {
  // WHEN
  const { component, objects } = await render(() => new GatewayAccount("gateway", account));

  // THEN
  expect(listed(objects)).toEqual([
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole gateway",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding gateway",
  ]);
  expect(only(objects, "ClusterRole")).toMatchObject({
    rules: [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }],
  });
  expect(only(objects, "ClusterRoleBinding")).toEqual({
    apiVersion: `${apiGroup}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { labels: ownLabels },
    roleRef: { apiGroup, kind: "ClusterRole", name: "gateway-generated" },
    subjects: [{ kind: "ServiceAccount", name: "gateway", namespace: "akeyless" }],
  });
  expect((await resolved(component.binding.metadata)).name).toBe("gateway-generated");
});

test("the cluster's auth delegator may be bound instead", async () => {
  // WHEN
  const { objects } = await render(() => new GatewayAccount("gateway", { ...account, role: "auth-delegator" }));

  // THEN
  expect(listed(objects)).toEqual(["kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding gateway"]);
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({ roleRef: { name: "system:auth-delegator" } });
});

test("the ServiceAccount must exist", () => {
  expect(gatewayAccountObjects(account)).toEqual([
    { apiVersion: "v1", kind: "ServiceAccount", namespace: "akeyless", name: "gateway" },
  ]);
});
