/** A request without a credential must not lead to advice that opens the cluster to everyone. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultKey, requestPem } from "../../support/crypto/forgery.ts";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { type Properties, secretOf } from "../../support/plugin/properties.ts";
import { answer, failure, type LocalServer, localServer, testCa } from "../../support/server.ts";

const refusal = 'User "system:anonymous" cannot create resource "x" in API group "y" at the cluster scope';
let engine: FakeEngine;
let plugin: Plugin;
let server: LocalServer;

beforeAll(async () => {
  engine = await startEngine();
  plugin = await Plugin.start(engine);
  server = await localServer(() => {});
});
afterAll(async () => {
  await plugin?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  engine?.stop();
});

function kubeconfig(): Properties {
  const data = Buffer.from(testCa.certPem).toString("base64");
  return secretOf(
    JSON.stringify({
      "current-context": "dev",
      clusters: [{ name: "c", cluster: { server: server.url, "certificate-authority-data": data } }],
      users: [{ name: "deployer", user: { token: "t" } }],
      contexts: [{ name: "dev", context: { cluster: "c", user: "deployer" } }],
    }),
  );
}

/** The error, which must not advise to give anonymous users or groups a right. */
async function adviceOf(type: string, inputs: Properties): Promise<string> {
  const error = await plugin.create(`k8sauth:index:${type}`, inputs).then(
    () => expect.fail("it was created"),
    (thrown: Error) => thrown.message,
  );
  expect(error).not.toMatch(/\bgrant|\bbind\b|lacks/i);
  return error;
}

const gateway = () => ({ host: server.url, caPem: testCa.certPem });
const account = {
  namespace: "auth",
  serviceAccountName: "gateway-token-reviewer",
  serviceAccountUid: "u1",
  secretName: "gateway-token-reviewer-token",
  secretUid: "u2",
};

test.each<[string, () => Properties]>([
  ["Cluster", () => ({ kubeconfig: kubeconfig(), allowLoopback: true, rights: [{ verb: "get", resource: "pods" }] })],
  ["ReviewerToken", () => ({ kubeconfig: kubeconfig(), ...gateway(), ...account })],
  [
    "ReviewerToken",
    () => ({ kubeconfig: kubeconfig(), ...gateway(), ...account, expirationSeconds: 3600, mode: "tokenRequest" }),
  ],
  [
    "SignedCertificate",
    () => ({
      kubeconfig: kubeconfig(),
      ...gateway(),
      csrPem: requestPem(),
      privateKeyPem: defaultKey().export({ type: "pkcs8", format: "pem" }).toString(),
    }),
  ],
  ["RancherKey", () => ({ server: server.url, caPem: testCa.certPem, clusterId: "c-1", apiKey: "name:secret" })],
])("a %s whose requests arrive without a credential fails with that reason", async (type, inputs) => {
  server.handler = (_request, response) => failure(response, 403, "Forbidden", refusal);
  expect(await adviceOf(type, inputs())).toMatch(/KUBE_ANONYMOUS: No credential arrived.*401/);
});

test("rights that are missing are not asked for if the API server answers reviews of system:anonymous", async () => {
  server.handler = (request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/selfsubjectaccessreviews")) answer(response, 201, { status: { allowed: false } });
    else if (path.endsWith("/selfsubjectreviews")) {
      answer(response, 201, { status: { userInfo: { username: "system:anonymous" } } });
    } else answer(response, 200, { gitVersion: "v1.36.3", metadata: { uid: "u" }, issuer: "https://i", keys: [] });
  };
  const inputs = { kubeconfig: kubeconfig(), allowLoopback: true, rights: [{ verb: "get", resource: "pods" }] };
  expect(await adviceOf("Cluster", inputs)).toMatch(/KUBE_ANONYMOUS: No credential arrived/);
});

test("rights that are missing are asked for by the name that the API server knows the deployer by", async () => {
  server.handler = (request, response) => {
    const path = request.url ?? "";
    if (path.endsWith("/selfsubjectaccessreviews")) answer(response, 201, { status: { allowed: false } });
    else if (path.endsWith("/selfsubjectreviews")) {
      answer(response, 201, { status: { userInfo: { username: "jane@example.com" } } });
    } else answer(response, 200, { gitVersion: "v1.36.3", metadata: { uid: "u" }, issuer: "https://i", keys: [] });
  };
  const inputs = { kubeconfig: kubeconfig(), allowLoopback: true, rights: [{ verb: "get", resource: "pods" }] };
  await expect(plugin.create("k8sauth:index:Cluster", inputs)).rejects.toThrow(
    /CLUSTER_RIGHTS_MISSING.*User "deployer" \(known to the API server as "jane@example\.com"\) lacks a right .*:\n {2}get pods in the whole cluster\nGrant them/,
  );
});
