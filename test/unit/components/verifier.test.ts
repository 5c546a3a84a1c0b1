import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { Verifier, type VerifierArgs } from "../../../components/index.ts";
import { defaultVerifierImage } from "../../../components/verifier/image.ts";
import { verifierNames } from "../../../components/verifier/objects.ts";
import { listed, only, ownLabels, render, resolved } from "./render.ts";

function verifier(args: Partial<VerifierArgs> = {}) {
  return render((cluster) => new Verifier("verifier", { cluster, audiences: ["orders"], ...args }));
}

const labels = { "app.kubernetes.io/name": "verifier" };
const metadata = { name: "verifier", namespace: "verifier-generated", labels };

test("by default: a Deployment with its program, account, rights, Service, disruption budget and network policy", async () => {
  // WHEN
  const { component, objects } = await verifier();

  // THEN
  expect(listed(objects)).toEqual([
    "kubernetes:apps/v1:Deployment verifier",
    "kubernetes:core/v1:ConfigMap verifier",
    "kubernetes:core/v1:Namespace verifier",
    "kubernetes:core/v1:Service verifier",
    "kubernetes:core/v1:ServiceAccount verifier",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy verifier",
    "kubernetes:policy/v1:PodDisruptionBudget verifier",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole verifier",
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding verifier",
  ]);
  expect(only(objects, "Namespace")).toMatchObject({
    metadata: { labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  expect(only(objects, "ServiceAccount")).toMatchObject({ metadata, automountServiceAccountToken: false });
  expect(only(objects, "Service")).toEqual({
    apiVersion: "v1",
    kind: "Service",
    // The Deployment is waited for; there is nothing left to wait for here.
    metadata: { ...metadata, labels: { ...labels, ...ownLabels }, annotations: { "pulumi.com/skipAwait": "true" } },
    spec: { selector: labels, ports: [{ name: "http", port: 8080, targetPort: "http" }] },
  });
  expect(only(objects, "PodDisruptionBudget")).toMatchObject({
    metadata,
    spec: { selector: { matchLabels: labels }, maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" },
  });
  expect(await resolved(component.url)).toBe("http://verifier.verifier-generated.svc:8080");
});

test("the ConfigMap is immutable: other content creates another ConfigMap with a generated name, and the pods carry its hash", async () => {
  // GIVEN
  const configMapOf = async (args: Partial<VerifierArgs>) => {
    const { objects } = await verifier(args);
    const { metadata: named, ...map } = only(objects, "ConfigMap") as {
      data: Record<string, string>;
      immutable: boolean;
      metadata: { name?: string };
    };
    const deployment = only(objects, "Deployment") as {
      spec: { template: { metadata: { annotations: Record<string, string> } } };
    };
    return { ...map, name: named.name, hash: deployment.spec.template.metadata.annotations["k8sauth.dev/config-hash"] };
  };

  // WHEN
  const first = await configMapOf({ allow: ["shop/orders"] });
  const same = await configMapOf({ allow: ["shop/orders"] });
  const other = await configMapOf({ allow: ["shop/billing"] });

  // THEN
  expect(first.immutable).toBe(true);
  expect(first.name).toBeUndefined();
  expect(first.hash).toMatch(/^[0-9a-f]{12}$/);
  expect(same.hash).toBe(first.hash);
  expect(other.hash).not.toBe(first.hash);
  expect(Object.keys(first.data).sort()).toEqual(["config.json", "verifier.licenses.txt", "verifier.mjs"]);
  expect(JSON.parse(first.data["config.json"] ?? "")).toMatchObject({
    mode: "hybrid",
    audience: ["orders"],
    issuer: "https://issuer.example",
    allow: ["shop/orders"],
  });
});

test("pods are replaced one after the other, and have no permissions on their node", async () => {
  // WHEN
  const { objects } = await verifier();

  // THEN
  expect(only(objects, "Deployment")).toMatchObject({
    metadata,
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        spec: {
          serviceAccountName: "verifier",
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              image: defaultVerifierImage,
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
              },
            },
          ],
        },
      },
    },
  });
});

test("with an image that contains the verifier, the ConfigMap holds no program", async () => {
  // WHEN
  const image = `registry.example/verifier@sha256:${"0".repeat(64)}`;
  const { objects } = await verifier({ image, selfContainedImage: true });

  // THEN
  expect(Object.keys((only(objects, "ConfigMap") as { data: object }).data)).toEqual(["config.json"]);
  const { spec } = only(objects, "Deployment") as { spec: { template: { spec: object } } };
  expect(spec.template.spec).toMatchObject({
    containers: [{ image, args: ["--config", "/etc/k8sauth-verifier/config.json"] }],
  });
  expect(JSON.stringify(spec)).not.toContain("verifier.mjs");
});

test("with skipAwait Pulumi does not wait for the pods, and their Deployment is the same otherwise", async () => {
  const { objects } = await verifier({ skipAwait: true });
  const { objects: waiting } = await verifier();
  const { metadata: found, ...rest } = only(objects, "Deployment") as { metadata: { annotations?: object } };
  const { metadata: usual, ...usualRest } = only(waiting, "Deployment") as { metadata: { annotations?: object } };
  expect(found.annotations).toEqual({ "pulumi.com/skipAwait": "true" });
  expect(usual.annotations).toBeUndefined();
  expect(rest).toEqual(usualRest);
});

test("with a range of replicas an autoscaler sets their number, by CPU time", async () => {
  // WHEN
  const { objects } = await verifier({ replicas: 3, maxReplicas: 10 });

  // THEN
  expect(only(objects, "HorizontalPodAutoscaler")).toMatchObject({
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "verifier" },
      minReplicas: 3,
      maxReplicas: 10,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
      ],
    },
  });
  expect((only(objects, "Deployment") as { spec: object }).spec).not.toHaveProperty("replicas");
  expect(verifierNames("verifier", { namespace: "here", createNamespace: true, maxReplicas: 10 })).toContainEqual({
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    namespace: "here",
    name: "verifier",
  });
});

test.each<[string, Partial<VerifierArgs>]>([
  ["more replicas than maxReplicas", { replicas: 3, maxReplicas: 2 }],
  ["too little memory", { resources: { memoryLimit: "64Mi" } }],
  ["a network that is none", { egressCidrs: ["10.0.0.1"] }],
  ["the default image as one that contains the verifier", { selfContainedImage: true }],
])("%s is refused", async (_, args) => {
  await expect(verifier(args)).rejects.toThrow(/maxReplicas|memoryLimit|egressCidrs|selfContainedImage/);
});

const review = { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] };
const discovery = { nonResourceURLs: ["/.well-known/openid-configuration", "/openid/v1/jwks"], verbs: ["get"] };

test.each([
  ["hybrid", [review, discovery]],
  ["tokenreview", [review]],
  ["oidc-discovery", [discovery]],
] as const)("the mode %s gets its rights and no others", async (mode, rules) => {
  // WHEN
  const { objects } = await verifier({ mode });

  // THEN
  expect(only(objects, "ClusterRole")).toMatchObject({ rules });
  expect(only(objects, "ClusterRoleBinding")).toMatchObject({
    roleRef: { kind: "ClusterRole", name: "verifier-generated" },
    subjects: [{ kind: "ServiceAccount", name: "verifier", namespace: "verifier-generated" }],
  });
});

test("with fixed public keys it gets no permissions, and the keys are in its ConfigMap", async () => {
  // GIVEN
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeys = String(publicKey.export({ type: "spki", format: "pem" }));

  // WHEN
  const { objects } = await verifier({ mode: "jwt-pubkey", publicKeys });

  // THEN
  expect(objects.filter(({ type }) => type.includes("rbac"))).toEqual([]);
  expect(only(objects, "ConfigMap")).toMatchObject({ data: { keys: publicKeys } });
  expect(only(objects, "NetworkPolicy")).toMatchObject({ spec: { egress: [] } });
});

test("the network policy admits callers, and connections of the verifier to the API server's port and to DNS", async () => {
  // WHEN
  const { objects } = await verifier({ callers: [{ namespaceLabels: { team: "shop" } }] });

  // THEN
  expect(only(objects, "NetworkPolicy")).toMatchObject({
    metadata,
    spec: {
      podSelector: { matchLabels: labels },
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {
          from: [{ namespaceSelector: { matchLabels: { team: "shop" } } }],
          ports: [{ protocol: "TCP", port: 8080 }],
        },
      ],
      egress: [
        {
          ports: [
            { protocol: "TCP", port: 443 },
            { protocol: "TCP", port: 6443 },
          ],
        },
        {
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
      ],
    },
  });
});

test("with a certificate it serves TLS from that Secret", async () => {
  // WHEN
  const { component, objects } = await verifier({
    tlsSecret: "verifier-tls",
    namespace: "auth",
    createNamespace: false,
  });

  // THEN
  expect(await resolved(component.url)).toBe("https://verifier.auth.svc:8080");
  expect(objects.filter(({ type }) => type.endsWith(":Namespace"))).toEqual([]);
  const { spec } = only(objects, "Deployment") as { spec: { template: { spec: { volumes: object[] } } } };
  expect(spec.template.spec.volumes).toContainEqual({
    name: "tls",
    secret: { secretName: "verifier-tls", defaultMode: 0o440 },
  });
});

test("the output callers has a volume for each audience", async () => {
  // WHEN
  const { component } = await verifier({ audiences: ["orders", "billing"] });

  // THEN
  expect(Object.keys(component.callers)).toEqual(["orders", "billing"]);
  expect(component.callers.billing).toMatchObject({
    tokenPath: "/var/run/secrets/k8sauth-verifier/token",
    volume: { projected: { sources: [{ serviceAccountToken: { audience: "billing", expirationSeconds: 3600 } }] } },
  });
});
