import { generateKeyPairSync } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { readSettings } from "../../../components/settings.ts";

/** Reads settings as they come from a stack: all of them text. */
function read(values: Record<string, string>, secretKeys: string[] = []) {
  const keyed = Object.entries(values).map(([key, value]) => [key.includes(":") ? key : `k8sauth:${key}`, value]);
  pulumi.runtime.setAllConfig(
    Object.fromEntries(keyed),
    secretKeys.map((key) => `k8sauth:${key}`),
  );
  return readSettings();
}

const rancher = { rancherUrl: "https://r.example/", rancherApiKey: "Bearer token-a:hush", rancherClusterId: "c-1" };

test("of Rancher's settings what is unambiguous is put right, and the key is secret", async () => {
  const { rancher: known } = read(rancher);
  expect(known).toMatchObject({ server: "https://r.example", clusterId: "c-1" });
  expect(await pulumi.isSecret(known?.apiKey as pulumi.Output<string>)).toBe(true);
});

test.each([
  ["Rancher", { ...rancher, tokenFlow: "false" }],
  ["the gateway's own account", { akeylessGatewayAccount: "akeyless/gateway", tokenFlow: "false" }],
])("%s is enough for a stack", (_what, values) => {
  expect(() => read(values)).not.toThrow();
});

test("without settings a reviewer with the documents' names is made, in a namespace of its own", () => {
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

test("empty text is no setting, as Pulumi.yaml's defaults are", () => {
  expect(read({ kubeconfig: "", namespace: " ", audience: "" })).toMatchObject({
    kubeconfig: undefined,
    namespace: undefined,
    audience: undefined,
  });
});

test("kubeconfig and signing key are secret whether or not they were set so", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const akeylessSigningKey = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const settings = read({ kubeconfig: "/path", akeylessSigningKey, akeylessAccessId: "p-1" });
  expect(await pulumi.isSecret(settings.kubeconfig as pulumi.Output<string>)).toBe(true);
  expect(await pulumi.isSecret(settings.akeyless.signingKey as pulumi.Output<string>)).toBe(true);
});

describe("a wrong setting is refused by its name, with what is accepted:", () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ["unknown", { nonsense: "1" }, /k8sauth:nonsense is not a setting; known are .*kubeconfig/],
    ["no boolean", { allowLoopbackHost: "yes" }, /k8sauth:allowLoopbackHost is "yes"; it is true or false/],
    ["no role", { reviewerRole: "admin" }, /k8sauth:reviewerRole is "admin"; .*tokenreviews.*auth-delegator/],
    ["no host", { kubernetesHost: "api.example.com" }, /k8sauth:kubernetesHost .*https:\/\//],
    ["a namespace with capitals", { namespace: "Prod" }, /k8sauth:namespace is "Prod"; lower-case/],
    ["a namespace with dots", { namespace: "a.b" }, /k8sauth:namespace/],
    ["a namespace that is too long", { namespace: "n".repeat(64) }, /k8sauth:namespace has 64 characters; at most 63/],
    [
      "a binding that is too long",
      { bindingName: "b".repeat(254) },
      /k8sauth:bindingName has 254 characters; at most 253/,
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
      /k8sauth:verifierCreateNamespace makes the namespace of k8sauth:namespace/,
    ],
    [
      "a user who makes the verifier's namespace",
      {
        bearerTokenUsers: '{"reader":{"namespace":"auth","createNamespace":true,"clusterRole":"view"}}',
        verifier: "true",
        verifierAudiences: '["a"]',
        verifierNamespace: "auth",
      },
      /reader\.createNamespace makes a namespace that is not this user's alone/,
    ],
    [
      "a signing key that is none",
      { akeylessSigningKey: "a2V5", akeylessAccessId: "p-1" },
      /k8sauth:akeylessSigningKey is base64, but not of PEM/,
    ],
    ["an access id that is none", { akeylessAccessId: "acc-1" }, /k8sauth:akeylessAccessId is not an access id/],
    ["a key without its access id", { akeylessSigningKey: "key" }, /k8sauth:akeylessSigningKey .*akeylessAccessId/],
    [
      "Rancher with a path",
      { ...rancher, rancherUrl: "https://r.example/k8s/clusters/c-1" },
      /rancherUrl is not the root/,
    ],
    ["Rancher without TLS", { ...rancher, rancherUrl: "http://r.example" }, /rancherUrl is not the root URL/],
    ["Rancher without key", { ...rancher, rancherApiKey: "" }, /rancherApiKey is missing beside k8sauth:rancherUrl/],
    ["a CA of Rancher alone", { rancherCa: "x" }, /rancherUrl is missing beside k8sauth:rancherCa/],
    [
      "half a key of Rancher",
      { ...rancher, rancherApiKey: "half" },
      /rancherApiKey is not the bearer token of a Rancher/,
    ],
    ["no id of Rancher's", { ...rancher, rancherClusterId: "c_1" }, /rancherClusterId is not a cluster id of Rancher/],
    ["two ways to Rancher's CA", { ...rancher, rancherCa: "x", rancherCaPin: "y" }, /rancherCa and .* choose one/],
    ["a gateway's account without namespace", { akeylessGatewayAccount: "gw" }, /is "gw"; it is NAMESPACE\/NAME/],
    ["neither flow", { tokenFlow: "false" }, /k8sauth:tokenFlow and k8sauth:certificateFlow are both false/],
  ])("%s", (_what, values, reason) => {
    expect(() => read(values)).toThrow(reason);
  });

  test("all of them at once", () => {
    expect(() => read({ namespace: "A", reviewerRole: "x", nonsense: "1" })).toThrow(
      /nonsense[\s\S]*namespace[\s\S]*reviewerRole/,
    );
  });

  test("never with a secret's value", () => {
    const secrets = { akeylessSigningKey: "hush-hush", kubeconfig: "hush: {", rancherApiKey: "hush" };
    const refuse = () => read({ ...secrets, namespace: "A" });
    expect(refuse).toThrow(/namespace/);
    expect(refuse).not.toThrow(/hush/);
  });
});

test("settings of other projects are none of its business", () => {
  expect(() => read({ "kubernetes:context": "prod", "aws:region": "x" })).not.toThrow();
});
