import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { type Sandbox, startSandbox } from "../../../sandbox/index.ts";
import { answer, closedPort, localServer } from "../../unit/kubernetes/server.ts";
import { type FakeEngine, Plugin, secretOf, startEngine, unknownMark } from "../../unit/provider/plugin.ts";
import {
  adminClient,
  adminKeyData,
  bindingOf,
  bindingPath,
  clusterType,
  faultyProxy,
  fresh,
  kubeconfigFor,
  tcpProxy,
} from "../providerFixture.ts";

let sandbox: Sandbox;
let admin: KubeClient;
let engine: FakeEngine;
let plugin: Plugin;

beforeAll(async () => {
  sandbox = await startSandbox({ name: "provider-cluster", ephemeral: true });
  admin = await adminClient(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
beforeEach(() => {
  engine.lines.length = 0;
});
afterAll(async () => {
  const seen = JSON.stringify([plugin?.traffic, plugin?.output, engine?.lines]);
  const key = sandbox && adminKeyData(sandbox);
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  admin?.close();
  await sandbox?.stop();
  expect(seen).not.toContain(key);
  expect(seen).not.toContain("PRIVATE KEY");
});

function inputs(more: object = {}) {
  return { kubeconfig: secretOf(sandbox.kubeconfig), allowLoopback: true, proveHost: true, ...more };
}

const crb = (name: string) => ({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", name });

describe("facts", () => {
  test("are those of the server, and the kubeconfig is none of them", async () => {
    const { id, outputs } = await plugin.create(clusterType, inputs());
    const kubeSystem = await admin.get("/api/v1/namespaces/kube-system");
    expect(id).toBe(kubeSystem.metadata?.uid);
    expect(outputs).toEqual({
      host: sandbox.server,
      caSource: "kubeconfig",
      caPem: sandbox.caPem.replaceAll("\r", ""),
      caFingerprint: new X509Certificate(sandbox.caPem).fingerprint256,
      issuer: sandbox.issuer,
      issuerNote: "",
      jwks: expect.stringContaining('"keys"'),
      version: expect.stringMatching(/^v1\.\d+/),
      distribution: "Kubernetes",
      uid: id,
      reservedNames: [],
    });
  });

  test("a preview of a reachable cluster has them too", async () => {
    const made = await plugin.create(clusterType, inputs(), { preview: true });
    expect(Object.values(made.outputs)).not.toContain(unknownMark);
    expect(made.id).toBe(made.outputs.uid);
    expect(engine.lines).toEqual([]);
  });

  test("a second look finds no drift, and a refresh the same facts", async () => {
    const given = inputs({ reservedNames: [crb(fresh("free"))], rights: [{ verb: "get", resource: "pods" }] });
    const { id, outputs } = await plugin.create(clusterType, given);
    expect(await plugin.diff(clusterType, id, outputs, given, given)).toMatchObject({ changes: false });
    expect(await plugin.read(clusterType, id, outputs, given)).toMatchObject({ id, outputs });
  });

  test("drift of issuer, CA and version is an update of those", async () => {
    const given = inputs();
    const { id, outputs } = await plugin.create(clusterType, given);
    const olds = {
      ...outputs,
      issuer: "https://before",
      version: "v1.30.0",
      caPem: makeCertificate({ commonName: "x" }).certPem,
    };
    const diff = await plugin.diff(clusterType, id, olds, given, given);
    expect(diff).toMatchObject({ changes: true, replaces: [] });
    expect([...diff.diffs].sort()).toEqual(["caPem", "issuer", "version"]);
    expect(await plugin.update(clusterType, id, olds, given, given)).toEqual(outputs);
  });

  test("a bundle of several CAs passes through, also from a kubeconfig", async () => {
    const bundle = `${makeCertificate({ commonName: "old-ca" }).certPem.replaceAll("\r", "")}${sandbox.caPem}`;
    const user = await sandbox.issueClientCertificate({ commonName: "a", organizations: ["system:masters"] });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, bundle, user));
    const { outputs } = await plugin.create(clusterType, inputs({ kubeconfig }));
    expect(String(outputs.caPem).match(/BEGIN CERTIFICATE/g)?.length).toBe(2);
    expect(outputs.caFingerprint).toBe(new X509Certificate(bundle).fingerprint256);
  });

  test("an import by its id finds them as well, and another id is refused", async () => {
    const { id, outputs } = await plugin.create(clusterType, inputs());
    expect(await plugin.read(clusterType, id, {}, inputs())).toMatchObject({ id, outputs });
    await expect(plugin.read(clusterType, "another", {}, inputs())).rejects.toThrow(/CLUSTER_OTHER/);
  });
});

describe("a stack belongs to one cluster", () => {
  test("a kubeconfig of another one is refused with both identities", async () => {
    const { outputs } = await plugin.create(clusterType, inputs());
    const olds = { ...outputs, uid: "11111111-2222-3333-4444-555555555555" };
    const work = plugin.diff(clusterType, olds.uid, olds, inputs(), inputs());
    await expect(work).rejects.toThrow(/CLUSTER_OTHER.*11111111-2222.*/);
    await expect(plugin.read(clusterType, olds.uid, olds, inputs())).rejects.toThrow(new RegExp(String(outputs.uid)));
  });
});

describe("the deployer", () => {
  test("with an expired certificate gets an error that says so", async () => {
    const user = await sandbox.issueClientCertificate({ commonName: "old", ttlSeconds: -60 });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, sandbox.caPem, user));
    await expect(plugin.create(clusterType, inputs({ kubeconfig }))).rejects.toThrow(
      /KUBE_UNAUTHORIZED.*user "tester".*context "test".*expired on/s,
    );
    await expect(plugin.create(clusterType, inputs({ kubeconfig }), { preview: true })).rejects.toThrow(
      /KUBE_UNAUTHORIZED/,
    );
  });

  test.each<[string, object, RegExp]>([
    ["the kubeconfig has none", {}, /User "tester" .*has no credential/],
    ["the kubeconfig impersonates that user", { as: "system:anonymous" }, /Remove "as"/],
  ])(
    "whose requests arrive without a credential, as %s, is not advised to grant rights",
    async (_what, user, cause) => {
      const config = JSON.parse(kubeconfigFor(sandbox.server, sandbox.caPem, { token: "" }));
      const admin = await sandbox.issueClientCertificate({ commonName: "a", organizations: ["system:masters"] });
      const [{ user: certificate }] = JSON.parse(kubeconfigFor(sandbox.server, sandbox.caPem, admin)).users;
      config.users[0].user = "as" in user ? { ...certificate, ...user } : user;
      const rights = [{ verb: "create", resource: "namespaces" }];
      const kubeconfig = secretOf(JSON.stringify(config));
      const error = await plugin.create(clusterType, inputs({ kubeconfig, rights })).catch((thrown: Error) => thrown);
      expect(String(error)).toMatch(/KUBE_ANONYMOUS/);
      expect(String(error)).toMatch(cause);
      expect(String(error)).not.toMatch(/\bgrant/i);
    },
  );

  test("whose client certificate is dropped on the way gets an error that says so, and no advice to grant rights", async () => {
    const user = await sandbox.issueClientCertificate({ commonName: "a", organizations: ["system:masters"] });
    await using proxy = await faultyProxy(sandbox, () => undefined);
    const kubeconfig = secretOf(kubeconfigFor(proxy.url, proxy.caPem, user));
    const rights = [{ verb: "create", resource: "namespaces" }];
    const error = await plugin.create(clusterType, inputs({ kubeconfig, rights })).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/KUBE_ANONYMOUS: No credential arrived.*terminates TLS drops the client certificate/);
    expect(String(error)).not.toMatch(/\bgrant/i);
  });

  test("whose certificate and key do not belong together is refused before any request", async () => {
    const { certPem } = await sandbox.issueClientCertificate({ commonName: "a", organizations: ["system:masters"] });
    const isRsa = new X509Certificate(certPem).publicKey.asymmetricKeyType === "rsa";
    const { privateKey } = isRsa
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: 2048 });
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const asked: string[] = [];
    await using proxy = await faultyProxy(sandbox, (_method, path) => {
      asked.push(path);
      return undefined;
    });
    const kubeconfig = secretOf(kubeconfigFor(proxy.url, proxy.caPem, { certPem, keyPem }));
    await expect(plugin.create(clusterType, inputs({ kubeconfig }))).rejects.toThrow(
      /KUBECONFIG_CREDENTIAL_INVALID: client-certificate-data and client-key-data of user "tester"/,
    );
    expect(asked).toEqual([]);
  });

  test("who lacks rights learns all of them at once, by verb, resource and scope", async () => {
    const user = await sandbox.issueClientCertificate({ commonName: "limited" });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, sandbox.caPem, user));
    const rights = [
      { verb: "create", group: "rbac.authorization.k8s.io", resource: "clusterrolebindings" },
      { verb: "create", resource: "secrets", namespace: "not-there-yet" },
      { verb: "create", group: "authorization.k8s.io", resource: "selfsubjectaccessreviews" },
    ];
    const error = await plugin.create(clusterType, inputs({ kubeconfig, rights })).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/CLUSTER_RIGHTS_MISSING.*2 rights/);
    expect(String(error)).toContain("create clusterrolebindings.rbac.authorization.k8s.io in the whole cluster");
    expect(String(error)).toContain("create secrets in namespace not-there-yet");
    expect(String(error)).not.toContain("selfsubjectaccessreviews");
    const { outputs } = await plugin.create(clusterType, inputs());
    await expect(
      plugin.diff(clusterType, String(outputs.uid), outputs, inputs(), inputs({ kubeconfig, rights })),
    ).rejects.toThrow(/CLUSTER_RIGHTS_MISSING/);
  });

  test("who may not read kube-system gets an identity by the CA, and a warning", async () => {
    const user = await sandbox.issueClientCertificate({ commonName: "limited" });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, sandbox.caPem, user));
    const { id, outputs } = await plugin.create(clusterType, inputs({ kubeconfig }));
    expect(id).toMatch(/^ca-sha256-[0-9a-f]{64}$/);
    expect(engine.lines).toEqual([
      expect.objectContaining({ severity: "warning", message: expect.stringContaining("kube-system") }),
    ]);
    expect(outputs).toMatchObject({ issuer: "", issuerNote: expect.stringContaining("403") });
    expect(await plugin.diff(clusterType, id, outputs, inputs({ kubeconfig }), inputs())).toMatchObject({
      replaces: [],
    });
  });

  test("who may not read the discovery document forgets no issuer", async () => {
    const user = await sandbox.issueClientCertificate({ commonName: "limited" });
    const kubeconfig = secretOf(kubeconfigFor(sandbox.server, sandbox.caPem, user));
    const { id, outputs } = await plugin.create(clusterType, inputs());
    expect(await plugin.diff(clusterType, id, outputs, inputs(), inputs({ kubeconfig }))).toMatchObject({
      changes: false,
    });
  });
});

describe("the host for the gateway", () => {
  test("is not a loopback address unless that is allowed", async () => {
    const kubeconfig = secretOf(sandbox.kubeconfig);
    await expect(plugin.create(clusterType, { kubeconfig, allowLoopback: false, proveHost: true })).rejects.toThrow(
      /CLUSTER_HOST_LOOPBACK.*allowLoopback/,
    );
    await expect(
      plugin.create(clusterType, { kubeconfig, allowLoopback: false, proveHost: true }, { preview: true }),
    ).rejects.toThrow(/CLUSTER_HOST_LOOPBACK/);
  });

  test("that shows another certificate is refused", async () => {
    await using other = await localServer((_request, response) => answer(response, 200, {}));
    await expect(plugin.create(clusterType, inputs({ host: other.url }))).rejects.toThrow(
      /CLUSTER_HOST_PROOF_FAILED.*KUBE_TLS_UNTRUSTED/,
    );
  });

  test("whose certificate carries another name is refused, with the names that it carries", async () => {
    await using proxy = await tcpProxy(sandbox.server, "127.0.0.2");
    await expect(plugin.create(clusterType, inputs({ host: proxy.url }))).rejects.toThrow(
      /CLUSTER_HOST_PROOF_FAILED.*KUBE_TLS_NAME.*127\.0\.0\.2.*localhost/s,
    );
    const { outputs } = await plugin.create(clusterType, inputs({ host: proxy.url, proveHost: false }));
    expect(outputs.host).toBe(proxy.url);
  });

  test("that refuses, does not resolve or stays silent: three different errors", async () => {
    await using silent = await localServer(() => {});
    const host = `https://127.0.0.1:${await closedPort()}`;
    await expect(plugin.create(clusterType, inputs({ host }))).rejects.toThrow(/KUBE_REFUSED/);
    await expect(plugin.create(clusterType, inputs({ host: "https://no-such-host.invalid" }))).rejects.toThrow(
      /KUBE_UNREACHABLE_DNS/,
    );
    const caPem = silent.ca.certPem;
    await expect(plugin.create(clusterType, inputs({ host: silent.url, caPem }), { timeout: 1 })).rejects.toThrow(
      /KUBE_TIMEOUT/,
    );
  });

  test("that leads to the same server by another way is proved and kept", async () => {
    await using proxy = await tcpProxy(sandbox.server);
    const { outputs } = await plugin.create(clusterType, inputs({ host: proxy.url }));
    expect(outputs.host).toBe(proxy.url);
  });
});

describe("names that were asked for", () => {
  test("a binding that exists is refused with the role that it has", async () => {
    const name = fresh("taken");
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    await expect(plugin.create(clusterType, inputs({ reservedNames: [crb(name)] }))).rejects.toThrow(
      /CLUSTER_NAME_TAKEN.*bound to ClusterRole "view"/,
    );
  });

  test("those of this stack are not checked again, new ones are", async () => {
    const name = fresh("ours");
    const given = inputs({ reservedNames: [crb(name)] });
    const { id, outputs } = await plugin.create(clusterType, given);
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    expect(await plugin.diff(clusterType, id, outputs, given, given)).toMatchObject({ changes: false });
    const more = inputs({ reservedNames: [crb(name), crb(fresh("new"))] });
    expect(await plugin.diff(clusterType, id, outputs, given, more)).toMatchObject({
      diffs: ["reservedNames"],
      replaces: [],
    });
    expect(await plugin.update(clusterType, id, outputs, given, more)).toMatchObject({
      reservedNames: [crb(name), {}],
    });
    const taken = fresh("taken");
    await admin.create(bindingPath(), bindingOf(taken, "default", "default", "view"));
    await expect(plugin.diff(clusterType, id, outputs, given, inputs({ reservedNames: [crb(taken)] }))).rejects.toThrow(
      /CLUSTER_NAME_TAKEN/,
    );
  });

  test("one that is no longer asked for is this stack's until its object is gone", async () => {
    const name = fresh("first");
    const first = inputs({ reservedNames: [crb(name)] });
    const second = inputs({ reservedNames: [crb(fresh("second"))] });
    const { id, outputs } = await plugin.create(clusterType, first);
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    const renamed = await plugin.update(clusterType, id, outputs, first, second);
    expect(await plugin.update(clusterType, id, renamed, second, first)).toMatchObject({
      reservedNames: [crb(name)],
    });
    await admin.delete(bindingPath(name));
    const settled = await plugin.update(clusterType, id, renamed, second, inputs());
    expect(settled).toMatchObject({ reservedNames: [] });
    await admin.create(bindingPath(), bindingOf(name, "default", "default", "view"));
    await expect(plugin.update(clusterType, id, settled, inputs(), first)).rejects.toThrow(/CLUSTER_NAME_TAKEN/);
  });
});

test("an issuer that switches discovery off is said, with the reason", async () => {
  await using other = await disposable(startSandbox({ name: "provider-api", ephemeral: true, issuer: "api" }));
  const kubeconfig = secretOf(readFileSync(other.sandbox.kubeconfig, "utf8"));
  const { outputs } = await plugin.create(clusterType, inputs({ kubeconfig }));
  expect(outputs).toMatchObject({ issuer: "", issuerNote: expect.stringContaining("404") });
});

async function disposable(starting: Promise<Sandbox>): Promise<AsyncDisposable & { sandbox: Sandbox }> {
  const started = await starting;
  return { sandbox: started, [Symbol.asyncDispose]: () => started.stop() };
}
