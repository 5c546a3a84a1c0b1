import { expect, test } from "vitest";
import { KubeError, pathFor } from "../../../kubernetes/index.ts";

test.each([
  ["v1", "Namespace", undefined, "a", "/api/v1/namespaces/a"],
  ["v1", "Secret", "ns", "s", "/api/v1/namespaces/ns/secrets/s"],
  ["v1", "Secret", "ns", undefined, "/api/v1/namespaces/ns/secrets"],
  ["v1", "Secret", undefined, undefined, "/api/v1/secrets"],
  [
    "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding",
    undefined,
    "a:b",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/a%3Ab",
  ],
  ["rbac.authorization.k8s.io/v1", "ClusterRole", "ignored", "a", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a"],
  ["networking.k8s.io/v1", "NetworkPolicy", "ns", "p", "/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies/p"],
  [
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "ns",
    "h",
    "/apis/autoscaling/v2/namespaces/ns/horizontalpodautoscalers/h",
  ],
  ["policy/v1", "PodDisruptionBudget", "ns", "p", "/apis/policy/v1/namespaces/ns/poddisruptionbudgets/p"],
])("%s %s in %s named %s is at %s%s", (apiVersion, kind, namespace, name, path) => {
  expect(pathFor(apiVersion, kind, namespace, name)).toBe(path);
});

test("an unknown kind is refused, with the version that is known", () => {
  expect(() => pathFor("v1", "Deployment", "a", "b")).toThrow(/known with apiVersion apps\/v1/);
  expect(() => pathFor("v1", "Widget")).toThrow(KubeError);
});

test("a namespaced object needs its namespace", () => {
  expect(() => pathFor("v1", "Pod", undefined, "p")).toThrow(/namespace/);
});
