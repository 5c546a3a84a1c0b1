import { mkdtempDisposableSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf, unknownMark } from "../../support/plugin/properties.ts";
import { closedPort, localServer, testCa } from "../../support/server.ts";
import { cluster, engine, kubeconfig, plugin, reviewer, reviewerInputs, token } from "./pluginFixture.ts";

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
  using home = mkdtempDisposableSync(join(tmpdir(), "provider-"));
  await using plugin = await Plugin.start(engine, { PATH: process.env.PATH, HOME: home.path });
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
