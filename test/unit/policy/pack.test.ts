import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import { describe, expect, test } from "vitest";
import { judge, judgeStack, policies, unknown } from "./judge.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const isResourcePolicy = (policy: object): policy is ResourceValidationPolicy => "validateResource" in policy;
const resourcePolicies = policies.filter(isResourcePolicy).map(({ name }) => name);
const stackPolicies = policies
  .filter((policy): policy is StackValidationPolicy => !isResourcePolicy(policy))
  .map(({ name }) => name);

/** By type, the inputs that policies look at. */
const inputs: Readonly<Record<string, readonly string[]>> = {
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": ["metadata", "roleRef", "subjects"],
  "kubernetes:rbac.authorization.k8s.io/v1:ClusterRole": ["metadata", "rules"],
  "kubernetes:rbac.authorization.k8s.io/v1:Role": ["metadata", "rules"],
  "kubernetes:core/v1:Secret": ["metadata", "type", "data", "stringData"],
  "kubernetes:core/v1:ConfigMap": ["metadata", "data", "binaryData"],
  "kubernetes:core/v1:ServiceAccount": ["metadata", "automountServiceAccountToken"],
  "kubernetes:core/v1:Namespace": ["metadata"],
  "kubernetes:core/v1:Pod": ["metadata", "spec"],
  "kubernetes:apps/v1:Deployment": ["metadata", "spec"],
  "kubernetes:networking.k8s.io/v1:NetworkPolicy": ["metadata", "spec"],
  "kubernetes:certificates.k8s.io/v1:CertificateSigningRequest": ["metadata", "spec"],
  "tls:index/privateKey:PrivateKey": ["algorithm", "rsaBits", "ecdsaCurve"],
  "tls:index/certRequest:CertRequest": ["subject", "privateKeyPem"],
  "k8sauth:index:Cluster": ["host"],
  "k8sauth:index:ReviewerToken": [
    "host",
    "mode",
    "proof",
    "audience",
    "expirationSeconds",
    "serviceAccountName",
    "notAfter",
    "audienceAcceptedByDefault",
  ],
  "k8sauth:index:SignedCertificate": [
    "host",
    "csrPem",
    "signerName",
    "usages",
    "expirationSeconds",
    "certificatePem",
    "notAfter",
  ],
  "k8sauth:index:RancherKey": ["server"],
  "k8sauth:index:TokenReviewer": [],
  "k8sauth:index:AkeylessGatewayAuthConfig": ["config"],
};

/** Of these, something else than the values decides. */
const decided = (policy: string, type: string) =>
  policy === "secrets-marked" ||
  policy === "reviewer-protected" ||
  // It knows roles by their resource's name.
  (policy === "reviewer-role" && type.includes("ClusterRole")) ||
  // Resources of neither a verifier nor a reviewer do not matter to it.
  (policy === "verifier-audience" && type.includes("ConfigMap")) ||
  (policy === "reviewer-named" && type.includes("CertRequest")) ||
  // A namespace and a cluster-wide object are in none.
  (policy === "no-default-namespace" && type.includes("Namespace"));

const oddValues = [null, undefined, "", 0, [], [null], {}, { metadata: null, spec: null }, [{}]];

function filled(type: string, value: unknown): object {
  return Object.fromEntries((inputs[type] ?? []).map((key) => [key, structuredClone(value)]));
}

describe.each(resourcePolicies)("%s", (policy) => {
  const types = Object.keys(inputs).filter((type) => judge(policy, { type, props: {} }).applies);

  test("applies to something that is tested here", () => {
    expect(types).not.toEqual([]);
  });

  test("reports an unknown value if no value is known", () => {
    for (const type of types.filter((candidate) => !decided(policy, candidate))) {
      expect([type, judge(policy, { type, props: filled(type, unknown) })]).toEqual([
        type,
        { violations: [], unknown: true, applies: true },
      ]);
    }
  });

  test("does not fail for unexpected values", () => {
    for (const value of oddValues) for (const type of types) judge(policy, { type, props: filled(type, value) });
  });

  test("ignores other resources", () => {
    expect(judge(policy, { type: "aws:s3/bucket:Bucket", props: { metadata: unknown } }).applies).toBe(false);
  });
});

describe.each(stackPolicies)("%s", (policy) => {
  test("does not fail for unexpected values", () => {
    for (const value of [...oddValues, unknown]) {
      judgeStack(
        policy,
        Object.keys(inputs).map((type) => ({ type, props: filled(type, value) })),
      );
    }
  });

  test("reports nothing for an empty stack", () => {
    expect(judgeStack(policy, [])).toMatchObject({ violations: [], unknown: false });
  });
});

test("every policy has a unique name, a level, a severity, a reason, a remedy and a reference", () => {
  expect(new Set(policies.map(({ name }) => name)).size).toBe(policies.length);
  for (const policy of policies) {
    expect(policy).toMatchObject({
      name: expect.stringMatching(/^[a-z][a-z0-9-]+$/),
      enforcementLevel: expect.stringMatching(/^(advisory|mandatory)$/),
      severity: expect.stringMatching(/^(low|medium|high|critical)$/),
      description: expect.stringMatching(/^[A-Z].+\. .+\.$/),
      remediationSteps: expect.stringMatching(/\.$/),
      url: expect.stringMatching(/^https:\/\//),
    });
  }
});

describe("settings of the program in remedies", () => {
  const rows = readFileSync(join(root, "docs", "settings.md"), "utf8").matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm);
  const settings = [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/\w+/g)].map(([key]) => key));
  const named = (policy: string) => {
    const { remediationSteps = "" } = policies.find(({ name }) => name === policy) ?? {};
    return [...remediationSteps.matchAll(/k8sauth:(\w+)/g)].map(([, key]) => key);
  };

  test.each(policies.map(({ name }) => name))("that %s names exist", (policy) => {
    expect(settings).toEqual(expect.arrayContaining(named(policy)));
  });

  test.each([
    ["gateway-host", "kubernetesHost"],
    ["gateway-host", "rancherUrl"],
    ["no-default-namespace", "namespace"],
    ["no-cluster-admin", "bearerTokenUsers"],
    ["no-wildcard-rules", "bearerTokenUsers"],
    ["reviewer-binding", "reviewerRole"],
    ["token-lifetime", "tokenExpirationSeconds"],
    ["token-secret-discouraged", "tokenMode"],
    ["reviewer-protected", "protect"],
    ["workload-audience", "audience"],
    ["certificate-lifetime", "certificateExpirationSeconds"],
    ["certificate-subject", "certificateCommonName"],
    ["key-strength", "certificateKeyType"],
    ["issued-certificate", "certificateRequest"],
    ["verifier-audience", "verifierAudiences"],
    ["image-pinned", "verifierImage"],
  ])("of %s include %s", (policy, setting) => {
    expect(named(policy)).toContain(setting);
  });
});

test("every policy is tested by name", () => {
  const folder = join(root, "test", "unit", "policy");
  const files = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  const text = files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  for (const { name } of policies) expect(text).toMatch(new RegExp(`"${name}"`));
});

test("the documentation lists every policy with its level, severity and settings, and no other", () => {
  const table = readFileSync(join(root, "docs", "policy.md"), "utf8").matchAll(
    /^\| `([\w-]+)` \| (\w+) \| (\w+) \|.*\| ([^|]*) \|$/gm,
  );
  const listed = [...table].map(([, name, level, severity, settings = ""]) =>
    [name, level, severity, ...[...settings.matchAll(/`(\w+)`/g)].map(([, setting]) => setting)].join(" "),
  );
  const have = policies.map(({ name, enforcementLevel, severity, configSchema }) =>
    [name, enforcementLevel, severity, ...Object.keys(configSchema?.properties ?? {})].join(" "),
  );
  expect(listed).toEqual(have);
});

describe("the pack's folder", () => {
  const folder = join(root, "policy");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;

  interface Manifest {
    readonly main: string;
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  }

  test("imports nothing except its files and the packages of its package.json", () => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (name) => name.endsWith(".ts") && !name.includes("node_modules"),
    );
    const imported = files.flatMap((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      return [...text.matchAll(/from "([^"]+)"/g)].map(([, specifier = ""]) =>
        specifier.startsWith(".") ? join(folder, name, "..", specifier) : specifier,
      );
    });
    const outside = imported.filter((specifier) => !specifier.startsWith(folder) && !specifier.startsWith("node:"));
    expect(new Set(outside)).toEqual(new Set(Object.keys(manifest.dependencies)));
  });

  test("asks for the versions that it is tested with", () => {
    for (const [name, version] of Object.entries(manifest.dependencies)) {
      expect(own.devDependencies[name]).toBe(version);
    }
  });
});
