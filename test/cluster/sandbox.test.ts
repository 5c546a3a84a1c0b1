import { type ChildProcess, spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import forge from "node-forge";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { identify, isAlive, type ProcessIdentity } from "../../sandbox/build/process.ts";
import { readAdmin } from "../../sandbox/cluster/handle.ts";
import {
  defaultKubernetes,
  ensureBinary,
  kubernetesVersions,
  listSandboxes,
  type Sandbox,
  sandboxStatus,
  selectedKubernetes,
  startSandbox,
  stopSandbox,
} from "../../sandbox/index.ts";

const api = fileURLToPath(new URL("../../sandbox/index.ts", import.meta.url));
const soon = { timeout: 20_000, interval: 20 };
let home: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "sandbox-test-"));
  env = { ...process.env, XDG_STATE_HOME: join(home, "state") };
  await ensureBinary();
});

afterAll(async () => {
  for (const { name } of await listSandboxes(env)) await stopSandbox(name, env);
  rmSync(home, { recursive: true, force: true });
});

type Answer = { status: number; body: Record<string, unknown> };
type CallOptions = { method?: string; body?: object; as?: { certPem: string; keyPem: string } };

/** One request to a sandbox, by default as its administrator. */
function call(sandbox: Sandbox, path: string, { method = "GET", body, as }: CallOptions = {}): Promise<Answer> {
  const { certPem, keyPem } = as ?? readAdmin(sandbox.kubeconfig);
  const headers = { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const sent = request(
      `${sandbox.server}${path}`,
      // No agent: a connection kept from before a server was killed would answer for the new one.
      { agent: false, method, ca: sandbox.caPem, cert: certPem, key: keyPem, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.on("end", () => {
          const json = response.headers["content-type"] === "application/json";
          resolve({ status: response.statusCode ?? 0, body: json ? JSON.parse(text) : {} });
        });
      },
    );
    sent.on("error", reject).end(body && JSON.stringify(body));
  });
}

async function mintedClaims(sandbox: Sandbox, audiences?: string[]): Promise<{ iss: string; aud: string[] }> {
  const answer = await call(sandbox, "/api/v1/namespaces/default/serviceaccounts/default/token", {
    method: "POST",
    body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences } },
  });
  const { token } = answer.body.status as unknown as { token: string };
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

function processesOf(sandbox: Sandbox): ProcessIdentity[] {
  const ids = Object.values(sandbox.pids).map((pid) => identify(pid));
  expect(ids).toHaveLength(4);
  return ids;
}

/** Runs a driver as a separate process. Resolves with the lines that it prints. */
function driver(code: string): { child: ChildProcess; line: (pattern: RegExp) => Promise<string> } {
  const source = `import { startSandbox } from ${JSON.stringify(api)};\n${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (text) => lines.push(text));
  const line = (pattern: RegExp) =>
    vi.waitFor(() => lines.find((text) => pattern.test(text)) ?? expect.fail(`no line ${pattern}`), soon);
  return { child, line };
}

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

describe("after a kill -9", () => {
  test("of the supervisor, its servers end, and the next start replaces what is left", async () => {
    const first = await startSandbox({ name: "killed", env });
    const ids = processesOf(first);
    process.kill(first.pids.supervisor!, "SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    expect((await sandboxStatus("killed", env)).condition).toBe("damaged");

    const second = await startSandbox({ name: "killed", env });
    expect((await call(second, "/readyz")).status).toBe(200);
    expect(second.caPem).not.toBe(first.caPem);
    await second.stop();
    expect(existsSync(second.dir)).toBe(false);
  });

  test("of a server, the next start replaces the sandbox and leaves no process of the old one", async () => {
    const first = await startSandbox({ name: "half", env });
    const ids = processesOf(first);
    await first.component("etcd").kill();
    const second = await startSandbox({ name: "half", env });
    expect(ids.filter(isAlive)).toEqual([]);
    expect((await call(second, "/readyz")).status).toBe(200);
    await second.stop();
  });

  test("of the driver while the sandbox starts, nothing stays and a new start works", async () => {
    const { child, line } = driver(`await startSandbox({ name: "begun", onProgress: (p) => console.log(p.phase) });`);
    await line(/^start$/);
    const supervisor = await vi.waitFor(async () => {
      const status = await sandboxStatus("begun", env);
      expect(Object.keys(status.pids)).toHaveLength(4);
      return status;
    }, soon);
    const ids = Object.values(supervisor.pids).map((pid) => identify(pid));
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    await vi.waitFor(() => expect(existsSync(supervisor.dir)).toBe(false), soon);

    const sandbox = await startSandbox({ name: "begun", env });
    expect((await call(sandbox, "/readyz")).status).toBe(200);
    await sandbox.stop();
  });

  test("of the driver after the start, the sandbox lives on", async () => {
    const { child, line } = driver(
      `await startSandbox({ name: "lasting" }); console.log("up"); setInterval(() => {}, 1000);`,
    );
    await line(/^up$/);
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(child.signalCode).toBe("SIGKILL"), soon);
    const sandbox = await startSandbox({ name: "lasting", env });
    expect((await call(sandbox, "/readyz")).status).toBe(200);
    await sandbox.stop();
  });

  test("of the parent of an ephemeral sandbox, nothing stays", async () => {
    const { child, line } = driver(
      `const s = await startSandbox({ ephemeral: true }); console.log(JSON.stringify([s.dir, s.pids])); setInterval(() => {}, 1000);`,
    );
    const [dir, pids] = JSON.parse(await line(/^\[/)) as [string, Record<string, number>];
    const ids = Object.values(pids).map((pid) => identify(pid));
    expect(ids.filter(isAlive)).toHaveLength(4);
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    await vi.waitFor(() => expect(existsSync(dir)).toBe(false), soon);
  });
});

test("a start that is cancelled leaves nothing", async () => {
  const abort = new AbortController();
  const onProgress = ({ phase }: { phase: string }) => phase === "start" && abort.abort();
  await expect(startSandbox({ name: "gone", env, signal: abort.signal, onProgress })).rejects.toMatchObject({
    code: "SANDBOX_ABORTED",
  });
  expect((await sandboxStatus("gone", env)).condition).toBe("absent");
});
