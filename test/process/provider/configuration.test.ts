import { expect, test } from "vitest";
import { makeCertificate } from "../../../sandbox/cluster/certificate.ts";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf, unknownMark } from "../../support/plugin/properties.ts";
import { failure, localServer, testCa } from "../../support/server.ts";
import { cluster, kubeconfig, plugin, reviewer, token } from "./pluginFixture.ts";

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

test("another CA is named in the error of a create, and nothing secret is", async () => {
  const other = makeCertificate({ commonName: "other-ca" });
  const identity = makeCertificate({ commonName: "s", issuer: other, names: ["127.0.0.1"] });
  await using server = await localServer((_request, response) => response.end(), identity);
  const inputs = { kubeconfig: secretOf(kubeconfig(server.url)), allowLoopback: true, proveHost: true };
  await expect(plugin.create(cluster, inputs)).rejects.toThrow(/KUBE_TLS_UNTRUSTED/);
  expect(plugin.traffic.join()).not.toContain(token);
});
