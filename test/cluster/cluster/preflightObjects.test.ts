import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type KubeClient, type KubeObject, loadConnection, pathFor } from "../../../kubernetes/index.ts";
import { certificateRequest } from "../../support/crypto/certificateRequest.ts";
import { adminOf, inventory, lodging } from "../../support/inventory.ts";
import type { Value } from "../../support/pulumi/stack.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";
import { fresh, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const rbac = "rbac.authorization.k8s.io/v1";
let admin: KubeClient;
/** Of a deployer with all rights that the token flow needs, who may not read namespaces. */
let blind: string;
const cleanups: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const name = fresh("blind");
  const manage = ["create", "get", "list", "watch", "patch", "delete"];
  const rules = [
    { apiGroups: [""], resources: ["serviceaccounts", "secrets"], verbs: manage },
    { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] },
    { apiGroups: ["rbac.authorization.k8s.io"], resources: ["clusterroles", "clusterrolebindings"], verbs: manage },
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
  ];
  await put({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "default" } });
  await put({ apiVersion: rbac, kind: "ClusterRole", metadata: { name }, rules } as KubeObject);
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
  const subjects = [{ kind: "ServiceAccount", name, namespace: "default" }];
  await put({ apiVersion: rbac, kind: "ClusterRoleBinding", metadata: { name }, roleRef, subjects } as KubeObject);
  const path = `${pathFor("v1", "ServiceAccount", "default", name)}/token`;
  const { status } = await admin.create<{ status: { token: string } }>(path, { spec: {} });
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  blind = kubeconfigFor(server, caPem, { token: status.token });
});
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  admin?.close();
});

async function put(object: KubeObject): Promise<void> {
  const { apiVersion = "", kind = "", metadata = {} } = object;
  await admin.create(pathFor(apiVersion, kind, metadata.namespace), object);
  const path = pathFor(apiVersion, kind, metadata.namespace, metadata.name);
  cleanups.push(() => admin.delete(path, { ignoreNotFound: true }));
}

/** The error of an `up` with these settings, which must create nothing. */
async function refusal(settings: Record<string, Value>, secrets: Record<string, string> = {}): Promise<string> {
  const before = await inventory(admin);
  await using stack = await TestStack.make("preflight", { kubeconfig, allowLoopbackHost: true, ...settings });
  for (const [key, secret] of Object.entries(secrets)) await stack.configureSecret(key, secret);
  const failure = await stack.up().then(
    () => expect.fail("the up succeeded"),
    (error: Error) => error.message,
  );
  expect(await inventory(admin)).toEqual(before);
  const state = await readFile(stack.stateFile, "utf8").catch(() => "");
  const heard = JSON.stringify([stack.history, stack.events]) + failure + state;
  for (const secret of Object.values(secrets)) {
    const lines = secret.split("\n").filter((text) => text.length > 20 && !text.startsWith("-----"));
    expect(lines.filter((line) => heard.includes(line))).toEqual([]);
  }
  return failure;
}

describe("a namespace that the stack does not make", () => {
  const absent = { namespace: "k8sauth-test-absent", createNamespace: false };
  const missing = /CLUSTER_OBJECT_MISSING.*Namespace "k8sauth-test-absent"[;.] .*createNamespace/;

  test("and that does not exist is named before anything is created", async () => {
    expect(await refusal(absent)).toMatch(missing);
    const user = { namespace: absent.namespace, clusterRole: "k8sauth-test-none" };
    expect(await refusal({ tokenFlow: false, bearerTokenUsers: { reader: user } })).toMatch(
      /CLUSTER_OBJECT_MISSING.*Namespace "k8sauth-test-absent"; ClusterRole "k8sauth-test-none"/,
    );
  });

  test("is found missing also by a deployer who may not read namespaces, and good where it is there", async () => {
    expect(await refusal({ ...absent, kubeconfig: blind })).toMatch(missing);
    await using home = await lodging(admin);
    await using stack = await TestStack.make("blind", { kubeconfig: blind, allowLoopbackHost: true, ...home.settings });
    await stack.up();
  });

  test("and that is being deleted is refused as such, for every deployer", async () => {
    const namespace = fresh("ending");
    await put({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const held = { name: "held", namespace, finalizers: ["k8sauth.test/held"] };
    await put({ apiVersion: "v1", kind: "ConfigMap", metadata: held } as KubeObject);
    await admin.delete(pathFor("v1", "Namespace", undefined, namespace));
    const said = new RegExp(`CLUSTER_OBJECT_MISSING.*Namespace "${namespace}" is being deleted`);
    try {
      expect(await refusal({ namespace, createNamespace: false })).toMatch(said);
      expect(await refusal({ namespace, createNamespace: false, kubeconfig: blind })).toMatch(said);
    } finally {
      const path = pathFor("v1", "ConfigMap", namespace, "held");
      const { metadata, ...rest } = await admin.get(path);
      await admin.replace(path, { ...rest, metadata: { ...metadata, finalizers: [] } });
      // The tests after it compare what is in the cluster.
      const home = pathFor("v1", "Namespace", undefined, namespace);
      await vi.waitUntil(async () => !(await admin.find(home)), { timeout: 30_000, interval: 100 });
    }
  });
});

test("a certificate request of one's own for another user is refused before its user gets rights", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const csr = certificateRequest(privateKey, { commonName: "somebody-else" });
  const settings = { tokenFlow: false, certificateFlow: true, certificateCommonName: "gateway-brought" };
  const brought = csr;
  expect(await refusal({ ...settings, certificateRequest: brought })).toMatch(
    /CSR_SUBJECT_REFUSED.*"somebody-else".*"gateway-brought"/,
  );
  expect(await refusal({ ...settings, certificateRequest: brought.slice(0, 200) })).toMatch(/CSR_MALFORMED/);
});

test("a private key that is not the one of the request is refused before its user gets rights, and never shown", async () => {
  const keys = Array.from({ length: 2 }, () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
  const [own, other] = keys as [KeyObject, KeyObject];
  const text = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }).toString();
  const csr = certificateRequest(own, { commonName: "gateway-brought" });
  const settings = {
    tokenFlow: false,
    certificateFlow: true,
    certificateCommonName: "gateway-brought",
    certificateRequest: csr,
  };
  expect(await refusal(settings, { certificateKey: text(other) })).toMatch(
    /PRIVATE_KEY_OTHER: k8sauth:certificateKey is not the key of k8sauth:certificateRequest/,
  );
  expect(await refusal(settings, { certificateKey: text(own).slice(0, 300) })).toMatch(/PRIVATE_KEY_MALFORMED/);
  await using stack = await TestStack.make("own-key", { kubeconfig, allowLoopbackHost: true, ...settings });
  await stack.configureSecret("certificateKey", text(own));
  await stack.up();
  const state = await readFile(stack.stateFile, "utf8");
  expect(state).toContain("certificateRequests");
  expect(state).not.toContain("PRIVATE KEY");
});

test("an audience that the API server does not know is an output's note, with the option to set", async () => {
  await using home = await lodging(admin);
  const settings = { kubeconfig, allowLoopbackHost: true, ...home.settings };
  await using stack = await TestStack.make("audience", { ...settings, audience: "https://gateway.example" });
  await stack.up();
  expect((await stack.outputs()).notes).toContainEqual(
    expect.stringMatching(/refuse tokens for "https:\/\/gateway\.example".*--api-audiences/),
  );
  await stack.configure({ audience: undefined });
  await stack.up();
  expect(JSON.stringify((await stack.outputs()).notes)).not.toContain("--api-audiences");
});

test.each([
  ["token", { certificateFlow: false }],
  ["certificate", { tokenFlow: false, certificateFlow: true, certificateKeyType: "P256" }],
])("an audience of the API server is an output's note, with the %s flow", async (_, flow) => {
  await using home = await lodging(admin);
  const settings = { kubeconfig, allowLoopbackHost: true, ...home.settings, ...flow };
  const { issuer } = sharedSandbox();
  await using stack = await TestStack.make("api-audience", { ...settings, audience: issuer });
  await stack.up();
  const note = expect.stringMatching(
    /API server itself accepts tokens for ".*" \(k8sauth:audience\).*Akeyless and Consul/,
  );
  expect((await stack.outputs()).notes).toContainEqual(note);
  await stack.configure({ audience: "gateway" });
  await stack.up();
  expect((await stack.outputs()).notes).not.toContainEqual(note);
});
