/** For every policy a stack that keeps to it, and one that breaks it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A value of a resource's property. */
export type Value = string | number | boolean | readonly Value[] | Properties;
export interface Properties {
  readonly [name: string]: Value;
}

const day = 24 * 3600;

/** A resource as a test describes it. */
export interface StackResource {
  readonly type: string;
  readonly inputs: Properties;
  readonly outputs?: Properties;
  readonly name?: string;
  readonly secretOutputs?: readonly string[];
  readonly parent?: string;
  readonly protect?: boolean;
}

const rbac = "kubernetes:rbac.authorization.k8s.io/v1:";
const metadata = { name: "thing", namespace: "gateways" };

const binding = (role: string, subject: Properties): StackResource => ({
  type: `${rbac}ClusterRoleBinding`,
  inputs: { metadata: { name: "thing" }, roleRef: { kind: "ClusterRole", name: role }, subjects: [subject] },
});
const account = (name: string) => ({ kind: "ServiceAccount", name, namespace: "gateways" });
const reviewer = account("gateway-token-reviewer");

const role = (rule: Properties, name = "reader"): StackResource => ({
  type: `${rbac}ClusterRole`,
  name,
  inputs: { metadata: { name }, rules: [rule] },
});
const reading = { apiGroups: [""], resources: ["configmaps"], verbs: ["get"] };

const secret = (more: Properties, secretOutputs = ["data", "stringData"]): StackResource => ({
  type: "kubernetes:core/v1:Secret",
  inputs: { metadata, ...more },
  secretOutputs,
});
const tokenOf = (name: string) =>
  secret({
    metadata: { ...metadata, annotations: { "kubernetes.io/service-account.name": name } },
    type: "kubernetes.io/service-account-token",
  });

const token = (inputs: Properties, outputs: Properties = {}): StackResource => ({
  type: "k8sauth:index:ReviewerToken",
  inputs: {
    host: "https://api.example.com:6443",
    serviceAccountName: "gateway-token-reviewer",
    audience: "gateway",
    mode: "tokenRequest",
    expirationSeconds: 30 * day,
    ...inputs,
  },
  outputs: { notBefore: "", notAfter: "", audienceAcceptedByDefault: false, ...outputs },
  secretOutputs: ["token"],
});

const certificates = new Map<string, string>();
/** A self-signed certificate with a key of a kind, for some days. */
function certificate(key: string, days: number): string {
  const made = certificates.get(`${key} ${days}`);
  if (made) return made;
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-policy-"));
  try {
    const extensions = ["-addext", "basicConstraints=critical,CA:FALSE"];
    const files = ["-keyout", join(folder, "key"), "-out", join(folder, "crt")];
    const args = [
      "req",
      "-x509",
      "-nodes",
      "-newkey",
      key,
      "-days",
      String(days),
      "-subj",
      "/CN=gateway",
      ...extensions,
    ];
    execFileSync("openssl", [...args, ...files], { stdio: "ignore" });
    const pem = readFileSync(join(folder, "crt"), "utf8");
    certificates.set(`${key} ${days}`, pem);
    return pem;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const signed = (inputs: Properties, pem = certificate("rsa:2048", 90)): StackResource => ({
  type: "k8sauth:index:SignedCertificate",
  inputs: { host: "https://api.example.com:6443", expirationSeconds: 90 * day, ...inputs },
  outputs: { certificatePem: pem, notBefore: "2026-01-01T00:00:00Z", notAfter: "2999-01-01T00:00:00Z" },
});
const key = (inputs: Properties): StackResource => ({
  type: "tls:index/privateKey:PrivateKey",
  inputs,
  secretOutputs: ["privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"],
});
const request = (commonName: string): StackResource => ({
  type: "tls:index/certRequest:CertRequest",
  inputs: { subject: { commonName } },
});

const namespace = (level: string): StackResource => ({
  type: "kubernetes:core/v1:Namespace",
  inputs: { metadata: { name: "gateways", labels: { "pod-security.kubernetes.io/enforce": level } } },
});
const configMap = (data: Properties, parent?: string): StackResource => ({
  type: "kubernetes:core/v1:ConfigMap",
  inputs: { metadata, data },
  ...(parent && { parent }),
});

const context = { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false };
const image = `registry.example/node@sha256:${"0123456789abcdef".repeat(4)}`;
function workload(container: Properties = {}, pod: Properties = {}, policies = true): StackResource[] {
  const labels = { "app.kubernetes.io/name": "shop" };
  const spec = {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true },
    containers: [{ name: "shop", image, securityContext: context, ...container }],
    ...pod,
  };
  const deployment = {
    type: "kubernetes:apps/v1:Deployment",
    inputs: { metadata, spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } } },
  };
  const policy = {
    type: "kubernetes:networking.k8s.io/v1:NetworkPolicy",
    inputs: { metadata, spec: { podSelector: { matchLabels: labels }, policyTypes: ["Ingress"] } },
  };
  return policies ? [deployment, policy] : [deployment];
}

const verifier = "k8sauth:index:Verifier";
const inTheOpen = `${Buffer.from('{"alg":"RS256"}').toString("base64url")}.${Buffer.from('{"sub":"account"}').toString("base64url")}.${"c2lnbmF0dXJl".repeat(3)}`;

/** By policy, a stack that keeps to all policies, and one that breaks this one and no other. */
export const stacks: Readonly<
  Record<string, { readonly keeps: readonly StackResource[]; readonly breaks: readonly StackResource[] }>
> = {
  "no-cluster-admin": {
    keeps: [binding("view", account("reader"))],
    breaks: [binding("cluster-admin", account("reader"))],
  },
  "no-broad-subjects": {
    keeps: [binding("view", { kind: "Group", name: "team" })],
    breaks: [binding("view", { kind: "Group", name: "system:authenticated" })],
  },
  "no-default-account": {
    keeps: [binding("view", account("reader"))],
    breaks: [binding("view", account("default"))],
  },
  "reviewer-binding": {
    keeps: [binding("system:auth-delegator", reviewer)],
    breaks: [binding("view", reviewer)],
  },
  "reviewer-role": {
    keeps: [
      role(
        { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
        "gateway-token-reviewer",
      ),
    ],
    breaks: [role({ apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] }, "gateway-token-reviewer")],
  },
  "reviewer-named": { keeps: [token({})], breaks: [token({ serviceAccountName: "somebody" })] },
  "reviewer-protected": {
    keeps: [{ type: "k8sauth:index:TokenReviewer", inputs: {}, protect: true }],
    breaks: [{ type: "k8sauth:index:TokenReviewer", inputs: {} }],
  },
  "no-wildcard-rules": { keeps: [role(reading)], breaks: [role({ ...reading, verbs: ["*"] })] },
  "no-escalation-rights": {
    keeps: [role(reading)],
    breaks: [role({ apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] })],
  },
  "token-secret-for-reviewers": {
    keeps: [secret({ type: "Opaque" })],
    breaks: [tokenOf("somebody")],
  },
  "token-secret-discouraged": { keeps: [secret({ type: "Opaque" })], breaks: [tokenOf("gateway-token-reviewer")] },
  "token-lifetime": { keeps: [token({})], breaks: [token({ expirationSeconds: 31 * day })] },
  "workload-audience": {
    keeps: [token({})],
    breaks: [token({ audience: "" }, { audienceAcceptedByDefault: true })],
  },
  "certificate-lifetime": { keeps: [signed({})], breaks: [signed({ expirationSeconds: 91 * day })] },
  "certificate-signer": { keeps: [signed({})], breaks: [signed({ signerName: "kubernetes.io/kubelet-serving" })] },
  "certificate-usages": {
    keeps: [signed({ usages: ["client auth"] })],
    breaks: [signed({ usages: ["client auth", "server auth"] })],
  },
  "key-strength": {
    keeps: [key({ algorithm: "RSA", rsaBits: 2048 }), key({ algorithm: "ECDSA", ecdsaCurve: "P256" })],
    breaks: [key({ algorithm: "RSA", rsaBits: 1024 })],
  },
  "certificate-subject": { keeps: [request("gateway")], breaks: [request("system:admin")] },
  "credential-near-expiry": {
    keeps: [token({}, { notBefore: "2026-01-01T00:00:00Z", notAfter: "2999-01-01T00:00:00Z" })],
    breaks: [token({}, { notBefore: "2020-01-01T00:00:00Z", notAfter: "2020-02-01T00:00:00Z" })],
  },
  "issued-certificate": {
    keeps: [signed({})],
    breaks: [signed({}, certificate("rsa:2048", 120))],
  },
  "no-default-namespace": {
    keeps: [configMap({})],
    breaks: [{ ...configMap({}), inputs: { metadata: { name: "thing", namespace: "default" } } }],
  },
  "namespace-restricted": { keeps: [namespace("restricted")], breaks: [namespace("baseline")] },
  "workload-non-root": {
    keeps: workload(),
    breaks: workload({}, { securityContext: {} }),
  },
  "workload-read-only-root": {
    keeps: workload(),
    breaks: workload({ securityContext: { allowPrivilegeEscalation: false } }),
  },
  "workload-no-privileges": {
    keeps: workload(),
    breaks: workload({ securityContext: { readOnlyRootFilesystem: true } }),
  },
  "no-automounted-token": {
    keeps: workload(),
    breaks: workload({}, { automountServiceAccountToken: true }),
  },
  "image-pinned": { keeps: workload(), breaks: workload({ image: "registry.example/node:24" }) },
  "default-image-pinned": {
    keeps: workload(),
    breaks: workload({ image: "gcr.io/distroless/nodejs24-debian13:nonroot" }),
  },
  "verifier-audience": {
    keeps: [configMap({ "config.json": '{"audience":["shop"]}' }, verifier)],
    breaks: [configMap({ "config.json": "{}" }, verifier)],
  },
  "workload-network-policy": { keeps: workload(), breaks: workload({}, {}, false) },
  "secrets-marked": { keeps: [secret({ type: "Opaque" })], breaks: [secret({ type: "Opaque" }, ["data"])] },
  "no-credential-in-the-open": { keeps: [configMap({ a: "b" })], breaks: [configMap({ a: inTheOpen })] },
  "gateway-host": { keeps: [token({})], breaks: [token({ host: "https://127.0.0.1:6443" })] },
};
