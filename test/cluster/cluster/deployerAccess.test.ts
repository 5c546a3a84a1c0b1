/** Credentials and rights of the deployer, as a Cluster checks them. */
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { secretOf } from "../../support/plugin/properties.ts";
import { clusterType, faultyProxy, kubeconfigFor } from "../providerFixture.ts";
import { engine, inputs, plugin, sandbox } from "./resourceFixture.ts";

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
