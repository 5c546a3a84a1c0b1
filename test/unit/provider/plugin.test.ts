import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/certificate.ts";
import { closedPort, localServer, testCa } from "../kube/server.ts";
import { type FakeEngine, isSecret, Plugin, pluginPath, secretOf, startEngine, unknownMark } from "./plugin.ts";

const cluster = "k8sauth:index:Cluster";
const reviewer = "k8sauth:index:ReviewerToken";
const token = "the-deployers-own-token";
let folder: string;
let engine: FakeEngine;
let plugin: Plugin;

beforeAll(async () => {
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
afterAll(async () => {
  await plugin[Symbol.asyncDispose]();
  engine.stop();
});
beforeEach(() => {
  engine.lines.length = 0;
  folder = mkdtempSync(join(tmpdir(), "provider-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function kubeconfig(server: string): string {
  return JSON.stringify({
    "current-context": "dev",
    clusters: [
      { name: "c", cluster: { server, "certificate-authority-data": Buffer.from(testCa.certPem).toString("base64") } },
    ],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "dev", context: { cluster: "c", user: "u" } }],
  });
}

const reviewerInputs = {
  host: "https://k8s.example.com",
  caPem: testCa.certPem,
  namespace: "auth",
  serviceAccountName: "gateway-token-reviewer",
  serviceAccountUid: "u1",
  secretName: "gateway-token-reviewer-token",
  secretUid: "u2",
};

describe("the protocol", () => {
  test("what the plugin is and accepts", async () => {
    expect(await plugin.version()).toMatch(/^\d+\.\d+\.\d+/);
    expect(await plugin.configure()).toMatchObject({
      acceptsecrets: true,
      acceptresources: true,
      supportspreview: true,
      acceptoutputs: true,
    });
    const handshake = await plugin.handshake("127.0.0.1:1");
    expect(handshake.getAcceptSecrets()).toBe(true);
  });

  test("the schema has every type, and marks what is secret", async () => {
    const schema = await plugin.schema();
    expect(schema).toMatchObject({
      name: "k8sauth",
      resources: {
        [cluster]: {
          inputProperties: { kubeconfig: { secret: true, type: "string" } },
          properties: { uid: { type: "string" } },
        },
        [reviewer]: {
          requiredInputs: expect.arrayContaining(["host", "secretUid"]),
          properties: { token: { secret: true } },
        },
      },
      types: { [`${cluster}Right`]: { required: ["verb"] } },
    });
    const { resources } = schema as { resources: Record<string, { properties: object }> };
    expect(Object.keys(resources[cluster]?.properties ?? {})).not.toContain("kubeconfig");
  });

  test("check keeps secrets secret, marks those that were forgotten, and fills in defaults", async () => {
    const marked = await plugin.check(cluster, { kubeconfig: secretOf("k") });
    const forgotten = await plugin.check(cluster, { kubeconfig: "k", host: unknownMark });
    expect(marked).toEqual({
      inputs: { kubeconfig: secretOf("k"), allowLoopback: false, proveHost: true, trustOnFirstUse: false },
      failures: [],
    });
    expect(forgotten.inputs).toEqual({
      kubeconfig: secretOf("k"),
      host: unknownMark,
      allowLoopback: false,
      proveHost: true,
      trustOnFirstUse: false,
    });
  });

  test.each([
    ["an unknown property", { hots: "x" }, "hots", "Known are"],
    ["a wrong type", { allowLoopback: "yes" }, "allowLoopback", "boolean"],
    ["a host without https", { host: "http://a.example" }, "host", "CLUSTER_HOST_INVALID"],
    ["a host with credentials", { host: `https://u:${token}@a.example` }, "host", "CLUSTER_HOST_INVALID"],
    ["a loopback host", { host: "https://127.0.0.1:6443" }, "host", "CLUSTER_HOST_LOOPBACK"],
    ["a CA that is none", { caPem: "x" }, "caPem", "KUBECONFIG_CA_INVALID"],
    ["a right without a verb", { rights: [{ resource: "pods" }] }, "rights", "verb"],
    ["a right to nothing", { rights: [{ verb: "get" }] }, "rights", "nonResourcePath"],
    [
      "a stray key of a name",
      { reservedNames: [{ apiVersion: "v1", kind: "Secret", name: "a", ns: "b" }] },
      "reservedNames",
      "ns",
    ],
  ])("check refuses %s of a Cluster", async (_what, inputs, property, reason) => {
    const { failures } = await plugin.check(cluster, inputs);
    expect(failures).toEqual([{ property, reason: expect.stringContaining(reason) }]);
    expect(JSON.stringify(failures)).not.toContain(token);
  });

  test.each([
    ["what is missing", {}, "namespace"],
    ["a name that is none", { ...reviewerInputs, secretName: "A_B" }, "secretName"],
    ["an empty audience", { ...reviewerInputs, audience: "" }, "audience"],
  ])("check refuses %s of a ReviewerToken", async (_what, inputs, property) => {
    const { failures } = await plugin.check(reviewer, inputs);
    expect(failures.map((failure) => failure.property)).toContain(property);
  });

  test("an unknown type is an error with the types that there are", async () => {
    await expect(plugin.create("k8sauth:index:Nothing", {})).rejects.toThrow(/TYPE_UNKNOWN.*k8sauth:index:Cluster/);
  });
});

describe("without a cluster", () => {
  test.each([
    ["refuses connections", async () => `https://127.0.0.1:${await closedPort()}`],
    ["does not resolve", async () => "https://no-such-host.invalid"],
  ])(
    "a preview with a server that %s marks what is unknown, warns, and knows what the kubeconfig says",
    async (_what, address) => {
      await using engine = await startEngine();
      await using plugin = await Plugin.start(engine);
      const server = await address();
      const started = performance.now();
      const inputs = { kubeconfig: secretOf(kubeconfig(server)), allowLoopback: true, proveHost: true };
      const { id, outputs } = await plugin.create(cluster, inputs, { preview: true });
      expect(performance.now() - started).toBeLessThan(5_000);
      expect(id).toBe("");
      expect(outputs).toMatchObject({ host: server, uid: unknownMark, issuer: unknownMark, version: unknownMark });
      expect(outputs.caFingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
      expect(engine.lines).toEqual([
        expect.objectContaining({ severity: "warning", message: expect.stringContaining(new URL(server).hostname) }),
      ]);
      expect(JSON.stringify([engine.lines, plugin.traffic, plugin.output])).not.toContain(token);
    },
  );

  test("a silent server is waited for 2 s and no longer; an update keeps the identity, a diff shows no drift", async () => {
    await using silent = await localServer(() => {});
    const inputs = { kubeconfig: secretOf(kubeconfig(silent.url)), allowLoopback: true, proveHost: true };
    const olds = { host: silent.url, caPem: testCa.certPem, uid: "uid-1", issuer: "i", reservedNames: [] };
    const started = performance.now();
    const [preview, diff, update, read] = await Promise.all([
      plugin.create(cluster, inputs, { preview: true }),
      plugin.diff(cluster, "uid-1", olds, inputs, inputs),
      plugin.update(cluster, "uid-1", olds, inputs, inputs, true),
      plugin.read(cluster, "uid-1", olds, inputs),
    ]);
    expect(performance.now() - started).toBeLessThan(4_000);
    expect(preview.outputs.uid).toBe(unknownMark);
    expect(diff).toMatchObject({ changes: false, replaces: [] });
    expect(update).toMatchObject({ uid: "uid-1", host: silent.url });
    expect(read).toMatchObject({ id: "uid-1", outputs: { uid: "uid-1", issuer: "i" } });
    expect(isSecret(read.inputs.kubeconfig)).toBe(true);
    await expect(plugin.create(cluster, inputs, { timeout: 1 })).rejects.toThrow(/KUBE_TIMEOUT/);
  });

  test("a preview without any kubeconfig warns; one that was named and is missing fails", async () => {
    await using plugin = await Plugin.start(engine, { PATH: process.env.PATH, HOME: folder });
    const { outputs } = await plugin.create(cluster, {}, { preview: true });
    expect(outputs.host).toBe(unknownMark);
    expect(engine.lines[0]?.message).toContain("No kubeconfig was found");
    await expect(plugin.create(cluster, { kubeconfig: "/none" }, { preview: true })).rejects.toThrow(
      /KUBECONFIG_NOT_FOUND/,
    );
    await expect(plugin.create(cluster, {})).rejects.toThrow(/KUBECONFIG_NOT_FOUND/);
  });

  test("inputs that are not known yet are neither parsed nor sent", async () => {
    const made = await plugin.create(
      cluster,
      { kubeconfig: secretOf(unknownMark), host: unknownMark },
      { preview: true },
    );
    expect(
      Object.values(made.outputs).filter((value) => value !== unknownMark && JSON.stringify(value) !== "[]"),
    ).toEqual([]);
    const diff = await plugin.diff(
      cluster,
      "u",
      { host: "https://a.example" },
      { host: "https://a.example" },
      { kubeconfig: unknownMark, host: unknownMark },
    );
    expect(diff).toMatchObject({ changes: true, diffs: ["host"], replaces: [] });
  });

  test("the preview of a ReviewerToken asks nobody and knows what follows from its inputs", async () => {
    const { outputs } = await plugin.create(reviewer, { ...reviewerInputs, secretUid: unknownMark }, { preview: true });
    expect(outputs).toMatchObject({
      subject: "system:serviceaccount:auth:gateway-token-reviewer",
      kind: "Secret",
      notAfter: "",
      tokenSha256: unknownMark,
      secretUid: unknownMark,
      issuer: unknownMark,
    });
  });

  test("a ReviewerToken is replaced when its identity changes, and proved again when its target does", async () => {
    const olds = { ...reviewerInputs, issuer: "https://i" };
    const inputs = { ...reviewerInputs, issuer: "" };
    const diff = (news: object) => plugin.diff(reviewer, "auth/x", olds, inputs, { ...inputs, ...news });
    expect(await diff({ secretUid: unknownMark })).toMatchObject({ replaces: ["secretUid"], kinds: { secretUid: 5 } });
    expect(await diff({ namespace: "other" })).toMatchObject({ replaces: ["namespace"] });
    expect(await diff({ audience: "a", host: "https://b.example" })).toMatchObject({
      replaces: [],
      diffs: ["host", "audience"],
    });
    expect(await diff({ kubeconfig: secretOf("another") })).toMatchObject({ changes: false });
  });

  test("delete does nothing, and needs no cluster", async () => {
    await plugin.delete(reviewer, "auth/x", {});
    await plugin.delete(cluster, "u", {});
  });

  test("cancel ends a wait within 2 s", async () => {
    await using plugin = await Plugin.start();
    await using silent = await localServer(() => {});
    const inputs = { kubeconfig: secretOf(kubeconfig(silent.url)), allowLoopback: true, proveHost: true };
    const work = plugin.create(cluster, inputs).catch((error: Error) => error);
    while (silent.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const started = performance.now();
    await plugin.cancel();
    expect(String(await work)).toContain("KUBE_CANCELLED");
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("the process", () => {
  function isAlive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  async function ended(pid: number): Promise<void> {
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  test("ends when the process that started it is killed", async () => {
    const script = `const c = require("child_process").spawn(${JSON.stringify(pluginPath)}, [], {stdio: ["ignore", "pipe", "inherit"]}); c.stdout.once("data", () => console.log(c.pid)); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await ended(pid);
  });

  test("ends when its engine no longer answers", async () => {
    const engine = await startEngine();
    await using plugin = await Plugin.start(engine);
    expect(await plugin.version()).toBeTruthy();
    engine.stop();
    await once(plugin.child, "exit");
    expect(plugin.child.exitCode).toBe(0);
  });

  test("says clearly when Node.js is too old", () => {
    const start = join(dirname(pluginPath), "start.cjs");
    const { status, stderr } = spawnSync(process.execPath, ["--no-experimental-strip-types", start], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/needs Node\.js 24.*is v\d+/);
  });

  test("says clearly when there is no Node.js", () => {
    const copy = join(folder, "pulumi-resource-k8sauth");
    writeFileSync(copy, spawnSync("cat", [pluginPath]).stdout, { mode: 0o755 });
    const { status, stderr } = spawnSync("/bin/sh", [copy], { encoding: "utf8", env: { PATH: folder } });
    expect(status).toBe(1);
    expect(stderr).toMatch(/Node\.js was not found/);
  });
});

test("another CA is named in the error of a create, and nothing secret is", async () => {
  const other = makeCertificate({ commonName: "other-ca" });
  const identity = makeCertificate({ commonName: "s", issuer: other, names: ["127.0.0.1"] });
  await using server = await localServer((_request, response) => response.end(), identity);
  const inputs = { kubeconfig: secretOf(kubeconfig(server.url)), allowLoopback: true, proveHost: true };
  await expect(plugin.create(cluster, inputs)).rejects.toThrow(/KUBE_TLS_UNTRUSTED/);
  expect(plugin.traffic.join()).not.toContain(token);
});
