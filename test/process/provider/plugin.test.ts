import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import {
  type FakeEngine,
  Plugin,
  pluginPath,
  secretOf,
  startEngine,
  unknownMark,
} from "../../support/plugin/plugin.ts";
import { closedPort, failure, localServer, testCa } from "../../support/server.ts";

const cluster = "k8sauth:index:Cluster";
const reviewer = "k8sauth:index:ReviewerToken";
const rancher = "k8sauth:index:RancherKey";
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
      provider: { inputProperties: { kubeconfig: { secret: true, type: "string" }, offline: { default: "fail" } } },
      config: { variables: { context: { type: "string" } } },
      resources: {
        [cluster]: { properties: { uid: { type: "string" } } },
        [reviewer]: {
          requiredInputs: expect.arrayContaining(["host", "secretUid"]),
          properties: { token: { secret: true } },
        },
      },
      types: { "k8sauth:index:Right": { required: ["verb"] } },
    });
    const { resources } = schema as {
      resources: Record<string, { isComponent?: true; inputProperties: object; properties: object }>;
    };
    for (const { inputProperties, properties } of Object.values(resources).filter((one) => !one.isComponent)) {
      expect([...Object.keys(inputProperties), ...Object.keys(properties)]).not.toContain("kubeconfig");
    }
  });

  test("check keeps secrets secret, marks those that were forgotten, and fills in defaults", async () => {
    const server = { server: "https://rancher.example", clusterId: "local" };
    const defaults = { allowLoopback: false, proveHost: true };
    const marked = await plugin.check(rancher, { ...server, apiKey: secretOf("name:k") });
    const forgotten = await plugin.check(rancher, { ...server, apiKey: "name:k", caPem: unknownMark });
    expect(marked).toEqual({ inputs: { ...server, apiKey: secretOf("name:k"), ...defaults }, failures: [] });
    expect(forgotten.inputs).toEqual({ ...server, apiKey: secretOf("name:k"), caPem: unknownMark, ...defaults });
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
    [
      "a name that two objects would have",
      { reservedNames: ["a", "b", "a"].map((name) => ({ apiVersion: "v1", kind: "Secret", namespace: "auth", name })) },
      "reservedNames",
      'Secret "a" in namespace auth twice',
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

  test.each([
    ["ReviewerToken", "TOKEN"],
    ["SignedCertificate", "CERTIFICATE"],
    ["RancherKey", "RANCHER"],
    ["AkeylessGatewayAuthConfig", "AKEYLESS"],
    ["AkeylessAuthMethod", "AKEYLESS"],
  ])("an import of a %s is refused with its own code", async (type, prefix) => {
    const imported = plugin.read(`k8sauth:index:${type}`, "x", {}, {});
    await expect(imported).rejects.toThrow(`${prefix}_NOT_IMPORTABLE`);
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

  test("a silent server is waited for 2 s and no longer; with `offline: warn` nothing counts as changed", async () => {
    await using silent = await localServer(() => {});
    const config = { kubeconfig: secretOf(kubeconfig(silent.url)), offline: "warn" };
    const inputs = { ...config, allowLoopback: true, proveHost: true };
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
    await expect(plugin.create(cluster, inputs, { timeout: 1 })).rejects.toThrow(/KUBE_TIMEOUT/);
  });

  test.each(["fails", "warns"])(
    "a diff or refresh of what exists %s as the provider's `offline` says",
    async (outcome) => {
      await using engine = await startEngine();
      await using plugin = await Plugin.start(engine);
      const refused = `https://127.0.0.1:${await closedPort()}`;
      const config = { kubeconfig: kubeconfig(refused), ...(outcome === "warns" && { offline: "warn" }) };
      const target = { host: refused, caPem: testCa.certPem };
      const inputs = { ...reviewerInputs, ...target, issuer: "", proveHost: true };
      const token = { ...reviewerInputs, ...target, token: "e30.e30.e30", issuer: "https://i" };
      const facts = { ...target, uid: "uid-1", reservedNames: [] };
      const settings = { allowLoopback: true, proveHost: true };
      const looks = [
        () => plugin.diff(cluster, "uid-1", facts, settings, settings),
        () => plugin.read(cluster, "uid-1", facts, settings),
        () => plugin.diff(reviewer, "auth/x", token, inputs, inputs),
        () => plugin.read(reviewer, "auth/x", token, inputs),
      ];
      for (const look of looks) {
        // A run warns once.
        await plugin.configure(config);
        engine.lines.length = 0;
        if (outcome === "warns") {
          expect(await look()).not.toMatchObject({ changes: true });
          expect(engine.lines.map(({ severity }) => severity)).toEqual(["warning"]);
        } else {
          await expect(look()).rejects.toThrow(/KUBE_REFUSED: .*was not (checked|tried).*"offline" to "warn"/);
        }
      }
    },
  );

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
    const made = await plugin.create(cluster, { host: unknownMark }, { preview: true });
    expect(
      Object.values(made.outputs).filter((value) => value !== unknownMark && JSON.stringify(value) !== "[]"),
    ).toEqual([]);
    const diff = await plugin.diff(
      cluster,
      "u",
      { host: "https://a.example" },
      { host: "https://a.example" },
      { host: unknownMark },
    );
    expect(diff).toMatchObject({ changes: true, diffs: ["host"], replaces: [] });
  });

  test("the preview of a ReviewerToken sends no request and knows what follows from its inputs", async () => {
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

describe("the provider's configuration", () => {
  test("keeps the kubeconfig secret, also if the program forgot to mark it", async () => {
    expect(await plugin.checkConfig({ kubeconfig: "k", context: "prod", version: "1.0.0" })).toEqual({
      inputs: { kubeconfig: secretOf("k"), context: "prod", offline: "fail", version: "1.0.0" },
      failures: [],
    });
  });

  test.each([
    ["an unknown setting", { contxt: "prod" }, "contxt", "Known are: kubeconfig, context, offline, inputNames"],
    ["another word for offline", { offline: "maybe" }, "offline", 'expected "fail" or "warn"'],
    ["a context that is no text", { context: true }, "context", "must be a string"],
  ])("refuses %s", async (_what, config, property, reason) => {
    const { failures } = await plugin.checkConfig(config);
    expect(failures).toEqual([{ property, reason: expect.stringContaining(reason) }]);
  });

  test("drops the settings of a project of the same name that Pulumi offers to the default provider", async () => {
    const offered = { kubernetesHost: "https://a.example", kubeconfig: "k", version: "1.0.0" };
    const urnOf = (project: string) => `urn:pulumi:dev::${project}::pulumi:providers:k8sauth::default_1_0_0`;
    const own = await plugin.checkConfig(offered, urnOf("k8sauth"));
    expect(own).toEqual({ inputs: { version: "1.0.0", offline: "fail" }, failures: [] });
    const { kubernetesHost: _host, ...known } = offered;
    expect((await plugin.checkConfig(known, urnOf("shop"))).inputs.kubeconfig).toEqual(secretOf("k"));
  });

  test("other credentials are an update and never a replacement; `offline` is no change", async () => {
    const before = { kubeconfig: secretOf("a"), context: "prod", offline: "fail" };
    expect(await plugin.diffConfig(before, before)).toMatchObject({ changes: false });
    expect(await plugin.diffConfig(before, { ...before, offline: "warn" })).toMatchObject({ changes: false });
    const other = { kubeconfig: secretOf("b"), context: "staging", offline: "fail" };
    expect(await plugin.diffConfig(before, other)).toMatchObject({ diffs: ["kubeconfig", "context"], replaces: [] });
    expect(await plugin.diffConfig(before, { kubeconfig: unknownMark })).toMatchObject({ changes: true, replaces: [] });
  });

  test("a preview that does not know it yet knows no output and sends no request", async () => {
    await using server = await localServer((_request, response) => response.end());
    await using plugin = await Plugin.start();
    await plugin.configure({ kubeconfig: secretOf(unknownMark) });
    const inputs = { host: server.url, caPem: testCa.certPem, allowLoopback: true };
    const created = await plugin.create(cluster, inputs, { preview: true });
    const updated = await plugin.update(cluster, "u", inputs, inputs, inputs, true);
    for (const outputs of [created.outputs, updated]) {
      expect(Object.values(outputs).every((value) => value === unknownMark)).toBe(true);
    }
    expect(await plugin.diff(cluster, "u", inputs, inputs, inputs)).toMatchObject({ replaces: [], diffs: [] });
    expect(server.requests).toEqual([]);
  });

  test("an error says that the credentials come from the state, and what to do", async () => {
    await using engine = await startEngine();
    await using plugin = await Plugin.start(engine);
    await plugin.configure({ kubeconfig: secretOf("/moved/kubeconfig"), context: "prod" }, "state");
    const facts = { host: "https://a.example", caPem: testCa.certPem, uid: "u", reservedNames: [] };
    await expect(plugin.read(cluster, "u", facts, {})).rejects.toThrow(
      /no kubeconfig at \/moved\/kubeconfig.*The state provided the kubeconfig \/moved\/kubeconfig and the context "prod".*--run-program/,
    );
    await plugin.delete(reviewer, "auth/x", {});
    await plugin.delete(cluster, "u", {});
    expect(engine.lines).toEqual([
      expect.objectContaining({ severity: "warning", message: expect.stringContaining("PULUMI_RUN_PROGRAM=true") }),
    ]);
  });

  test("an error of credentials that the program passed does not speak of the state", async () => {
    const failure = await plugin.create(cluster, { kubeconfig: "/none" }).catch((error: Error) => error);
    expect(String(failure)).toMatch(/KUBECONFIG_NOT_FOUND/);
    expect(String(failure)).not.toMatch(/state/);
  });

  test("content of a kubeconfig from the state does not appear in an error", async () => {
    await using server = await localServer((_request, response) => failure(response, 401, "Unauthorized", "no"));
    await using plugin = await Plugin.start();
    await plugin.configure({ kubeconfig: kubeconfig(server.url) }, "state");
    const facts = { host: server.url, caPem: testCa.certPem, uid: "u", reservedNames: [] };
    const error = String(
      await plugin.read(cluster, "u", facts, { allowLoopback: true }).catch((thrown: Error) => thrown),
    );
    expect(error).toMatch(/KUBE_UNAUTHORIZED.*The state provided the kubeconfig, as the last up/);
    expect(error).not.toContain(token);
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
    expect(stderr).toMatch(/needs Node\.js >= 24\.5.*is v\d+/);
  });

  test("says clearly when there is no Node.js", () => {
    const copy = join(folder, "pulumi-resource-k8sauth");
    writeFileSync(copy, spawnSync("cat", [pluginPath]).stdout, { mode: 0o755 });
    const { status, stderr } = spawnSync("/bin/sh", [copy], { encoding: "utf8", env: { PATH: folder } });
    expect(status).toBe(1);
    expect(stderr).toMatch(/needs Node\.js >= 24\.5, and there is no node on the PATH/);
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
