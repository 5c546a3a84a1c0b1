/** Exec plugins of kubeconfigs, run by the resource plugin: what they say reaches the user, and none outlives the run. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin, urn } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import { allRunning, endAll, noneRunning, patienceMs, pidsIn } from "../../support/processes/processes.ts";
import { answer, localServer } from "../../support/server.ts";
import { execKubeconfig, family, familySize, printToken, shell } from "../kubernetes/execFixture.ts";

const cluster = "k8sauth:index:Cluster";
let folder: string;
let pidFile: string;
let engine: FakeEngine;
let plugin: Plugin;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "provider-exec-"));
  pidFile = join(folder, "pids");
  engine = await startEngine();
  plugin = await Plugin.start(engine);
});
afterEach(async () => {
  await plugin[Symbol.asyncDispose]();
  engine.stop();
  endAll(pidsIn(pidFile));
  rmSync(folder, { recursive: true });
});

function create(script: string, server?: string) {
  const kubeconfig = secretOf(execKubeconfig(shell(script), server));
  const created = plugin.create(cluster, { kubeconfig, allowLoopback: true, proveHost: false });
  return created.then(
    ({ outputs }) => JSON.stringify(outputs),
    (error: Error) => error.message,
  );
}

test("a login that an exec plugin asks for is shown beside the resource while the plugin waits", async () => {
  await using server = await localServer((_request, response) =>
    answer(response, 200, { gitVersion: "v1.36.3", metadata: { uid: "u-1" }, issuer: "https://i", keys: [] }),
  );
  const wait = `n=0; while [ ! -e "${folder}/done" ] && [ $n -lt 200 ]; do n=$((n+1)); sleep 0.05; done`;
  const prompt = "Open https://login.example and enter ABCD-1234";
  const created = create(`echo "${prompt}" >&2; ${wait}; ${printToken("from-plugin")}`, server.url);
  await expect
    .poll(() => engine.lines, { timeout: 5_000 })
    .toEqual([{ severity: "info", message: prompt, urn: urn(cluster), ephemeral: false }]);
  expect(server.requests).toEqual([]);
  writeFileSync(join(folder, "done"), "");
  expect(await created).toContain("u-1");
  expect(server.requests[0]?.headers.authorization).toBe("Bearer from-plugin");
});

test("an exec plugin does not get the stack's settings, which Pulumi hands to every resource plugin", async () => {
  await plugin[Symbol.asyncDispose]();
  plugin = await Plugin.start(engine, { ...process.env, PULUMI_CONFIG: '{"k8sauth:rancherApiKey":"S3CR3T"}' });
  const file = join(folder, "environment");
  await create(`env > "${file}"; exit 1`);
  const environment = readFileSync(file, "utf8");
  expect(environment).toContain("KUBERNETES_EXEC_INFO=");
  expect(environment).not.toContain("S3CR3T");
});

test("what an exec plugin said is part of the error", async () => {
  expect(await create('echo "no session: log in first" >&2; exit 1')).toMatch(
    /KUBECONFIG_EXEC_FAILED: .*exit status 1: no session: log in first/,
  );
});

describe("an exec plugin ends, with everything that it started, when", { timeout: 2 * patienceMs }, () => {
  test("the run is cancelled", async () => {
    const created = create(`${family(pidFile)} wait`);
    const pids = await allRunning(pidFile, familySize);
    const started = performance.now();
    await plugin.cancel();
    expect(await created).toMatch(/KUBE_CANCELLED/);
    expect(performance.now() - started).toBeLessThan(2_000);
    await noneRunning(pids);
  });

  test.each<[string, () => void]>([
    ["the engine is gone", () => engine.stop()],
    ["the plugin is interrupted", () => plugin.child.kill("SIGINT")],
    ["the plugin is killed", () => plugin.child.kill("SIGKILL")],
  ])("%s", async (_what, stop) => {
    const created = create(`${family(pidFile)} wait`);
    const pids = await allRunning(pidFile, familySize);
    const ended = once(plugin.child, "exit");
    stop();
    await Promise.all([ended, created]);
    await noneRunning(pids);
  });
});
