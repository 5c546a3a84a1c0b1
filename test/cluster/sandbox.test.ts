import { X509Certificate } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import forge from "node-forge";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { isAlive } from "../../sandbox/build/process.ts";
import {
  defaultKubernetes,
  kubernetesVersions,
  listSandboxes,
  type Sandbox,
  sandboxStatus,
  selectedKubernetes,
  startSandbox,
  stopSandbox,
} from "../../sandbox/index.ts";
import { call, env, mintedClaims, processesOf, soon } from "./sandboxFixture.ts";

describe("a sandbox", () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await startSandbox({ name: "one", env });
  });

  test("runs the version of Kubernetes that is asked for, else the default, and says so", async () => {
    const { version, minor } = selectedKubernetes({}) ?? defaultKubernetes();
    const { body } = await call(sandbox, "/version");
    expect(body).toMatchObject({ gitVersion: version, major: "1", minor: minor.replace("1.", "") });
    expect(sandbox.kubernetes).toBe(version);
    expect((await sandboxStatus("one", env)).kubernetes).toBe(version);
  });

  test("is returned, not replaced, by a second start", async () => {
    const again = await startSandbox({ name: "one", issuer: "cluster", apiAudiences: [], env });
    expect(again.pids).toEqual(sandbox.pids);
    expect(again.server).toBe(sandbox.server);
    expect((await sandboxStatus("one", env)).condition).toBe("running");
  });

  test("refuses a start with other settings than it runs with", async () => {
    const kubernetes = kubernetesVersions().find(({ version }) => version !== sandbox.kubernetes)?.version;
    for (const other of [{ issuer: "self" }, { kubernetes }, { env: { ...env, K8SAUTH_KUBERNETES: kubernetes } }]) {
      await expect(startSandbox({ name: "one", env, ...other })).rejects.toMatchObject({ code: "SANDBOX_DIFFERENT" });
    }
  });

  test("keeps its folder, keys and kubeconfig to its owner", () => {
    expect(statSync(sandbox.dir).mode & 0o777).toBe(0o700);
    expect(statSync(sandbox.kubeconfig).mode & 0o777).toBe(0o600);
    for (const name of readdirSync(join(sandbox.dir, "pki"))) {
      expect(statSync(join(sandbox.dir, "pki", name)).mode & 0o077).toBe(0);
    }
  });

  test("hands no environment variable of its driver's to the background", () => {
    if (process.platform !== "linux") return expect(process.platform).not.toBe("linux");
    const inherited = readFileSync(`/proc/${sandbox.pids.supervisor}/environ`, "latin1").split("\0").filter(Boolean);
    expect(
      inherited.map((entry) => entry.split("=")[0]).filter((key) => !["PATH", "HOME", "TMPDIR", "TZ"].includes(key!)),
    ).toEqual([]);
  });

  test("fills a token Secret", async () => {
    const base = "/api/v1/namespaces/default";
    await call(sandbox, `${base}/serviceaccounts`, { method: "POST", body: { metadata: { name: "reviewer" } } });
    const metadata = { name: "reviewer-token", annotations: { "kubernetes.io/service-account.name": "reviewer" } };
    const body = { metadata, type: "kubernetes.io/service-account-token" };
    expect((await call(sandbox, `${base}/secrets`, { method: "POST", body })).status).toBe(201);
    await vi.waitFor(async () => {
      const secret = await call(sandbox, `${base}/secrets/reviewer-token`);
      expect(Object.keys((secret.body.data ?? {}) as object).sort()).toEqual(["ca.crt", "namespace", "token"]);
    }, soon);
  });

  test("signs an approved request with its client CA, and accepts the certificate", async () => {
    const keys = forge.pki.rsa.generateKeyPair({ bits: 2048 });
    const csr = forge.pki.createCertificationRequest();
    csr.publicKey = keys.publicKey;
    csr.setSubject([{ shortName: "CN", value: "gateway" }]);
    csr.sign(keys.privateKey, forge.md.sha256.create());
    const base = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    const spec = {
      request: Buffer.from(forge.pki.certificationRequestToPem(csr)).toString("base64"),
      signerName: "kubernetes.io/kube-apiserver-client",
      usages: ["digital signature", "key encipherment", "client auth"],
      expirationSeconds: 600,
    };
    const made = await call(sandbox, base, { method: "POST", body: { metadata: { name: "gateway" }, spec } });
    const conditions = [{ type: "Approved", status: "True", reason: "Test", message: "test" }];
    const body = { ...made.body, status: { conditions } };
    expect((await call(sandbox, `${base}/gateway/approval`, { method: "PUT", body })).status).toBe(200);
    const certPem = await vi.waitFor(async () => {
      const { certificate } = (await call(sandbox, `${base}/gateway`)).body.status as unknown as {
        certificate: string;
      };
      expect(certificate).toBeTypeOf("string");
      return Buffer.from(certificate, "base64").toString();
    }, soon);
    expect(new X509Certificate(certPem).verify(new X509Certificate(sandbox.clientCaPem).publicKey)).toBe(true);
    const as = { certPem, keyPem: forge.pki.privateKeyToPem(keys.privateKey) };
    expect((await call(sandbox, "/api/v1/namespaces/default/secrets", { as })).status).toBe(403);
  });

  test("knows the user of a certificate that it issued, and refuses an expired one", async () => {
    const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    const review = { method: "POST", body: { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" } };
    const as = await sandbox.issueClientCertificate({ commonName: "jane", organizations: ["team-a"] });
    const known = await call(sandbox, path, { ...review, as });
    expect(known.body.status).toMatchObject({
      userInfo: { username: "jane", groups: ["team-a", "system:authenticated"] },
    });
    const expired = await sandbox.issueClientCertificate({ commonName: "jane", ttlSeconds: -60 });
    expect((await call(sandbox, path, { ...review, as: expired })).status).toBe(401);
  });

  test("keeps what it knows when a killed server is started again", async () => {
    const namespace = { method: "POST", body: { metadata: { name: "kept" } } };
    expect((await call(sandbox, "/api/v1/namespaces", namespace)).status).toBe(201);
    const server = sandbox.component("kube-apiserver");
    const before = server.pid;
    await server.kill();
    expect(server.pid).toBeUndefined();
    expect((await sandboxStatus("one", env)).condition).toBe("damaged");
    await expect(call(sandbox, "/readyz")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect((await call(sandbox, "/api/v1/namespaces/kept")).status).toBe(200);
  });

  test("lives side by side with others, which have other issuers and audiences", async () => {
    const [self, plain] = await Promise.all([
      startSandbox({ name: "two", issuer: "self", apiAudiences: ["vault", "akeyless"], env }),
      startSandbox({ name: "three", issuer: "api", env }),
    ]);
    const cluster = "https://kubernetes.default.svc.cluster.local";
    expect(await mintedClaims(sandbox)).toMatchObject({ iss: cluster, aud: [cluster] });
    expect(await mintedClaims(self)).toMatchObject({ iss: self.server, aud: [self.server, "vault", "akeyless"] });
    expect(await mintedClaims(plain, ["verifier"])).toMatchObject({ iss: "api", aud: ["verifier"] });

    const discovery = "/.well-known/openid-configuration";
    const jwks_uri = `${self.server}/openid/v1/jwks`;
    expect((await call(self, discovery)).body).toMatchObject({ issuer: self.server, jwks_uri });
    expect((await call(sandbox, discovery)).body).toMatchObject({ issuer: cluster });
    expect((await call(plain, discovery)).status).toBe(404);

    expect((await listSandboxes(env)).map(({ name }) => name)).toEqual(["one", "three", "two"]);
    await Promise.all([self.stop(), plain.stop()]);
    expect((await call(sandbox, "/readyz")).status).toBe(200);
    expect((await listSandboxes(env)).map(({ name }) => name)).toEqual(["one"]);
  });

  test("leaves no process and no file after stop", async () => {
    const ids = processesOf(sandbox);
    expect(await stopSandbox("one", env)).toBe(true);
    expect(ids.filter(isAlive)).toEqual([]);
    expect(existsSync(sandbox.dir)).toBe(false);
    expect(await stopSandbox("one", env)).toBe(false);
    expect(await sandboxStatus("one", env)).toMatchObject({ condition: "absent", pids: {} });
  });
});
