/** A server older than those that the sandbox runs: a real one, behind a proxy that answers with an older version. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeEngine, startEngine } from "../../support/plugin/engine.ts";
import { Plugin } from "../../support/plugin/plugin.ts";
import { secretOf } from "../../support/plugin/properties.ts";
import { FaultProxy } from "../../support/proxies/faultProxy.ts";
import { sharedSandbox } from "../../support/sandbox.ts";
import { adminClient, adminToken, clusterType, kubeconfigFor } from "../providerFixture.ts";

let engine: FakeEngine;
let plugin: Plugin;
let proxy: FaultProxy;
let given: Readonly<Record<string, unknown>>;

beforeAll(async () => {
  const sandbox = sharedSandbox();
  using admin = await adminClient(sandbox);
  const token = await adminToken(admin);
  proxy = await FaultProxy.start(sandbox);
  engine = await startEngine();
  plugin = await Plugin.start(engine);
  const kubeconfig = secretOf(kubeconfigFor(proxy.url, proxy.caPem, { token }));
  given = { kubeconfig, allowLoopback: true, proveHost: true };
});
beforeEach(() => {
  engine.lines.length = 0;
  proxy.clear();
});
afterAll(async () => {
  await plugin?.[Symbol.asyncDispose]();
  engine?.stop();
  await proxy?.[Symbol.asyncDispose]();
});

const pretend = (gitVersion: string) => proxy.add({ path: /^\/version$/, change: (body) => ({ ...body, gitVersion }) });

/** The warnings of one operation. */
async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  engine.lines.length = 0;
  await work();
  return engine.lines.filter(({ severity }) => severity === "warning").map(({ message }) => message);
}

describe("a server older than the tested versions", () => {
  test("is warned of when it is first seen, and on each later preview, up and refresh", async () => {
    pretend("v1.27.16");
    const warning = [expect.stringMatching(/Kubernetes v1\.27\.16\..*is 1\.34\..*SelfSubjectReview/)];
    expect(await warningsOf(() => plugin.create(clusterType, given, { preview: true }))).toEqual(warning);
    let made: Awaited<ReturnType<Plugin["create"]>> | undefined;
    const create = async () => {
      made = await plugin.create(clusterType, given);
    };
    expect(await warningsOf(create)).toEqual(warning);
    const { id = "", outputs = {} } = made ?? {};
    expect(await warningsOf(() => plugin.diff(clusterType, id, outputs, given, given))).toEqual(warning);
    expect(await warningsOf(() => plugin.read(clusterType, id, outputs, given))).toEqual(warning);
  });

  test("is warned of once by an update, whose diff said it already", async () => {
    const { id, outputs } = await plugin.create(clusterType, given);
    pretend("v1.33.5");
    const changed = async () =>
      expect(await plugin.diff(clusterType, id, outputs, given, given)).toMatchObject({ diffs: ["version"] });
    expect(await warningsOf(changed)).toEqual([expect.stringContaining("Kubernetes v1.33.5")]);
    expect(await warningsOf(() => plugin.update(clusterType, id, outputs, given, given))).toEqual([]);
  });
});

test.each(["v1.34.0", "v1.99.0", "unknown"])("a server of version %j causes no warning", async (version) => {
  pretend(version);
  expect(await warningsOf(() => plugin.create(clusterType, given))).toEqual([]);
});
