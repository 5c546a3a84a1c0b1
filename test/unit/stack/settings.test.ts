import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { loadSettings, readSettings } from "../../../stack/settings/index.ts";
import { inStack } from "./inStack.ts";

beforeAll(inStack);

/** Reads settings as they come from a stack: all of them text. */
function read(values: Record<string, string>, secretKeys: string[] = []) {
  configure(values, secretKeys);
  return readSettings();
}

function configure(values: Record<string, string>, secretKeys: string[] = []) {
  const keyed = Object.entries({ context: "prod", ...values }).map(([key, value]) => [
    key.includes(":") ? key : `k8sauth:${key}`,
    value,
  ]);
  pulumi.runtime.setAllConfig(
    Object.fromEntries(keyed),
    secretKeys.map((key) => `k8sauth:${key}`),
  );
}

function signingKey(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

const rancher = { rancherUrl: "https://r.example/", rancherApiKey: "Bearer token-a:hush", rancherClusterId: "c-1" };

test("Rancher's URL and key are normalized, and the key is secret", async () => {
  const { rancher: known } = read(rancher);
  expect(known).toMatchObject({ server: "https://r.example", clusterId: "c-1" });
  expect(await pulumi.isSecret(known?.apiKey as pulumi.Output<string>)).toBe(true);
});

test.each([
  ["Rancher", { ...rancher, tokenFlow: "false" }],
  ["the gateway's own account", { akeylessGatewayAccount: "akeyless/gateway", tokenFlow: "false" }],
])("a stack can consist of %s alone", (_what, values) => {
  expect(() => read(values)).not.toThrow();
});

test("without settings, a reviewer with the documented names is created in a generated namespace", () => {
  expect(read({})).toMatchObject({
    kubeconfig: undefined,
    namespace: undefined,
    createNamespace: true,
    serviceAccountName: "gateway-token-reviewer",
    reviewerRole: "tokenreviews",
    tokenFlow: true,
    certificateFlow: false,
    allowLoopbackHost: false,
    proveHost: true,
    validateIssuer: false,
    akeyless: { authConfigName: "k8s-conf", accessId: undefined, signingKey: undefined },
  });
});

describe("a stack without a context is refused:", () => {
  const without = { context: "" };

  test("the error lists the contexts of the kubeconfig and the command to run", async () => {
    const folder = mkdtempSync(join(tmpdir(), "k8sauth-settings-"));
    try {
      const contexts = ["eu-1", "eu-2"].map((name) => ({ name, context: {} }));
      writeFileSync(join(folder, "config"), JSON.stringify({ contexts, "current-context": "eu-2" }));
      configure({ ...without, namespace: "auth", kubeconfig: join(folder, "config") });
      await expect(loadSettings()).rejects.toThrow(
        /k8sauth:context is not set\. .*pulumi config set context NAME.*\(eu-1, eu-2\), or in-cluster/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("the error contains nothing of a kubeconfig that cannot be read", async () => {
    configure({ ...without, kubeconfig: "users: [{hush" });
    await expect(loadSettings()).rejects.toThrow(/k8sauth:context is not set/);
    await expect(loadSettings()).rejects.not.toThrow(/hush/);
  });

  test("without any settings, as in a checkout without the stack's file, the error names the file", () => {
    pulumi.runtime.setAllConfig({});
    expect(() => readSettings()).toThrow(/Pulumi\.stack\.yaml is missing or empty/);
    expect(() => read(without)).not.toThrow(/missing or empty/);
  });

  test("the error also lists all other problems", () => {
    expect(() => read({ ...without, namespace: "A" })).toThrow(/namespace is "A"[\s\S]*context is not set/);
  });
});

test("the context in-cluster and a kubeconfig contradict each other", () => {
  expect(read({ context: "in-cluster" }).context).toBe("in-cluster");
  expect(() => read({ context: "in-cluster", kubeconfig: "/path" })).toThrow(
    /k8sauth:kubeconfig is set, but k8sauth:context is in-cluster/,
  );
});

test("the behavior without a connection to the cluster is a setting", () => {
  expect(read({}).offline).toBe("fail");
  expect(read({ offline: "warn" }).offline).toBe("warn");
  expect(() => read({ offline: "ignore" })).toThrow(/k8sauth:offline is "ignore"\. Set it to one of: fail, warn/);
});

test("an unknown setting with a similar name suggests the known one", () => {
  expect(() => read({ kubernetesHots: "x" })).toThrow(
    /kubernetesHots is not a setting\. Did you mean kubernetesHost\?/,
  );
  expect(() => read({ nameSpace: "x" })).toThrow(/nameSpace is not a setting\. Did you mean namespace\?/);
});

describe("lists and objects", () => {
  test.each([
    ["products", "consul", "'products[0]' consul"],
    ["verifierAudiences", "orders, billing", "'verifierAudiences[0]' orders"],
    ["rotation", "2026-q4", "rotation.current 2026-q4"],
    ["bearerTokenUsers", "reader", "bearerTokenUsers.reader.namespace shop"],
  ])("%s as plain text are refused with the command that sets them", (key, value, command) => {
    expect(() => read({ [key]: value })).toThrow(
      `k8sauth:${key} must be ${command.includes("[0]") ? "a list" : "an object"}. Set it with \`pulumi config set --path ${command}\`.`,
    );
  });

  test("errors name the wrong element in the notation of --path", () => {
    expect(() => read({ products: '["consul","vault"]' })).toThrow(
      /k8sauth:products\[1\] is "vault"\. .*consul, infisical/,
    );
    expect(() => read({ verifierMonitoring: '[{"podLabels":{"a/b":1}}]' })).toThrow(
      /k8sauth:verifierMonitoring\[0\]\.podLabels\["a\/b"\] must be text/,
    );
    expect(() => read({ bearerTokenUsers: '{"reader":{"clusterRole":"view"}}' })).toThrow(
      /k8sauth:bearerTokenUsers\.reader\.namespace is missing/,
    );
  });

  test("null, and an object without a field, count as unset", () => {
    expect(read({ products: "null", rotation: "{}", bearerTokenUsers: "{}" })).toMatchObject({
      products: [],
      token: { rotation: undefined },
      bearerTokenUsers: {},
    });
  });
});

test("a malformed setting causes no error about another one", () => {
  const refuse = () => read({ createNamespace: "false", namespace: "Prod" });
  expect(refuse).toThrow(/k8sauth:namespace is "Prod"/);
  expect(refuse).not.toThrow(/createNamespace/);
});

test("a setting with empty text is unset", () => {
  expect(read({ kubeconfig: "", namespace: " ", audience: "" })).toMatchObject({
    kubeconfig: undefined,
    namespace: undefined,
    audience: undefined,
  });
});

test("kubeconfig and signing key are secret, also if they were set without --secret", async () => {
  const settings = read({ kubeconfig: "/path", akeylessSigningKey: signingKey(), akeylessAccessId: "p-1" });
  expect(await pulumi.isSecret(settings.kubeconfig as pulumi.Output<string>)).toBe(true);
  expect(await pulumi.isSecret(settings.akeyless.signingKey as pulumi.Output<string>)).toBe(true);
});

describe("a wrong setting is refused with its name and the accepted values:", () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ["unknown", { nonsense: "1" }, /k8sauth:nonsense is not a setting\. docs\/settings\.md has all/],
    ["no boolean", { allowLoopbackHost: "yes" }, /k8sauth:allowLoopbackHost is "yes"\. Set it to true or false/],
    ["no role", { reviewerRole: "admin" }, /k8sauth:reviewerRole is "admin"\. .*tokenreviews.*auth-delegator/],
    ["no host", { kubernetesHost: "api.example.com" }, /k8sauth:kubernetesHost .*https:\/\//],
    ["a namespace with capitals", { namespace: "Prod" }, /k8sauth:namespace is "Prod"\. Use lower-case/],
    ["a namespace with dots", { namespace: "a.b" }, /k8sauth:namespace/],
    ["a namespace that is too long", { namespace: "n".repeat(64) }, /k8sauth:namespace has 64 characters\. At most 63/],
    [
      "a binding that is too long",
      { bindingName: "b".repeat(254) },
      /k8sauth:bindingName has 254 characters\. At most 253/,
    ],
    [
      "an account too long for its Secret's name",
      { serviceAccountName: "a".repeat(250) },
      /k8sauth:serviceAccountName has 250/,
    ],
    ["no namespace to take", { createNamespace: "false" }, /k8sauth:createNamespace is false, but k8sauth:namespace/],
    [
      "a verifier that makes the reviewer's namespace",
      { namespace: "auth", verifier: "true", verifierAudiences: '["a"]', verifierNamespace: "auth" },
      /k8sauth:verifierCreateNamespace is true, but the reviewer creates the namespace of k8sauth:namespace/,
    ],
    [
      "a user who makes the verifier's namespace",
      {
        bearerTokenUsers: '{"reader":{"namespace":"auth","createNamespace":true,"clusterRole":"view"}}',
        verifier: "true",
        verifierAudiences: '["a"]',
        verifierNamespace: "auth",
      },
      /reader\.createNamespace is true, but the namespace auth is also that of another user/,
    ],
    [
      "a signing key that is none",
      { akeylessSigningKey: "a2V5", akeylessAccessId: "p-1" },
      /k8sauth:akeylessSigningKey is base64, but not of PEM/,
    ],
    ["an access id that is none", { akeylessAccessId: "acc-1" }, /k8sauth:akeylessAccessId is not an access id/],
    [
      "a key without its access id",
      { akeylessSigningKey: signingKey() },
      /k8sauth:akeylessSigningKey .*akeylessAccessId/,
    ],
    [
      "Rancher with a path",
      { ...rancher, rancherUrl: "https://r.example/k8s/clusters/c-1" },
      /rancherUrl is not the root/,
    ],
    ["Rancher without TLS", { ...rancher, rancherUrl: "http://r.example" }, /rancherUrl is not the root URL/],
    ["Rancher without key", { ...rancher, rancherApiKey: "" }, /rancherApiKey is not set, but k8sauth:rancherUrl is/],
    ["a CA of Rancher alone", { rancherCa: "x" }, /rancherUrl is not set, but k8sauth:rancherCa is/],
    [
      "half a key of Rancher",
      { ...rancher, rancherApiKey: "half" },
      /rancherApiKey is not the bearer token of a Rancher/,
    ],
    ["no id of Rancher's", { ...rancher, rancherClusterId: "c_1" }, /rancherClusterId is not a cluster id of Rancher/],
    [
      "two ways to Rancher's CA",
      { ...rancher, rancherCa: "x", rancherCaPin: "y" },
      /rancherCa contradicts k8sauth:rancherCaPin/,
    ],
    [
      "a gateway's account without namespace",
      { akeylessGatewayAccount: "gw" },
      /akeylessGatewayAccount must be NAMESPACE\/NAME/,
    ],
    ["neither flow", { tokenFlow: "false" }, /k8sauth:tokenFlow and k8sauth:certificateFlow are false/],
  ])("%s", (_what, values, reason) => {
    expect(() => read(values)).toThrow(reason);
  });

  test("all of them at once", () => {
    expect(() => read({ namespace: "A", reviewerRole: "x", nonsense: "1" })).toThrow(
      /nonsense[\s\S]*namespace[\s\S]*reviewerRole/,
    );
  });

  test("without a URL, which may contain a password", () => {
    const push = { akeylessPush: "true", akeylessGatewayUrl: "https://gateway.example.com:8000" };
    const refuse = () => read({ ...push, akeylessApi: "http://admin:hush@api", kubernetesHost: "//admin:hush@api" });
    expect(refuse).toThrow(/kubernetesHost must be a URL[\s\S]*akeylessApi must be an https URL/);
    expect(refuse).not.toThrow(/hush/);
  });

  test("without the value of a secret", () => {
    const secrets = { akeylessSigningKey: "hush-hush", kubeconfig: "hush: {", rancherApiKey: "hush" };
    const refuse = () => read({ ...secrets, namespace: "A" });
    expect(refuse).toThrow(/namespace/);
    expect(refuse).not.toThrow(/hush/);
  });
});

test("settings of other projects are ignored", () => {
  expect(() => read({ "kubernetes:context": "prod", "aws:region": "x" })).not.toThrow();
});

test("a role with two spellings, with and without a leading slash, is refused, because it can have one association only", () => {
  const gateway = { akeylessPush: "true", akeylessGatewayUrl: "https://gateway.example.com:8000" };
  const method = { akeylessAuthMethod: JSON.stringify({ boundNamespaces: ["shop"] }) };
  const roles = { "/shop/reader": { namespace: "shop" }, "shop/reader": { namespace: "till" } };
  expect(() => read({ ...gateway, ...method, akeylessRoles: JSON.stringify(roles) })).toThrow(
    /akeylessRoles names the role \/shop\/reader twice/,
  );
});
