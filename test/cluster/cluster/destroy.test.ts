import { execFile } from "node:child_process";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type KubeClient, type KubeObject, pathFor } from "../../../kubernetes/index.ts";
import { ensureBinary, startSandbox } from "../../../sandbox/index.ts";
import { adminOf } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";
import { fresh } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const finalizer = "k8sauth.test/held";
let admin: KubeClient;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});
afterAll(() => admin?.close());

/** Runs the commands that docs/state.md gives for a deletion that waits, with names for their placeholders. */
async function documented(pattern: RegExp, names: Readonly<Record<string, string>>): Promise<string> {
  const page = await readFile(join(program, "docs", "state.md"), "utf8");
  const [, commands = expect.fail("there are no commands")] = pattern.exec(page) ?? [];
  const text = Object.entries(names).reduce((script, [name, value]) => script.replaceAll(name, value), commands);
  await using folder = await mkdtempDisposable(join(tmpdir(), "k8sauth-kubectl-"));
  await writeFile(join(folder.path, "kubectl"), `#!/bin/sh\nexec "${await ensureBinary()}" kubectl "$@"\n`, {
    mode: 0o755,
  });
  const env = { ...process.env, KUBECONFIG: kubeconfig, PATH: `${folder.path}${delimiter}${process.env.PATH}` };
  return (await promisify(execFile)("sh", ["-c", text], { env })).stdout;
}

async function release(path: string): Promise<void> {
  const { metadata, ...rest } = await admin.get(path);
  await admin.replace(path, { ...rest, metadata: { ...metadata, finalizers: [] } });
}

const waiting = { timeout: 60_000, interval: 100 };

describe("destroy says every few seconds what holds up", () => {
  test("its namespace, in the namespace's own words, and succeeds when that is gone", async () => {
    const namespace = fresh("held");
    await using stack = await TestStack.make("held", { kubeconfig, allowLoopbackHost: true, namespace });
    await stack.up();
    const metadata = { name: "held", namespace, finalizers: [finalizer] };
    await admin.create(pathFor("v1", "ConfigMap", namespace), {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata,
    } as KubeObject);
    const run = stack.spawn(["destroy", "--yes", "--skip-preview"]);
    const message = new RegExp(
      `Namespace "${namespace}" is being deleted for \\d+ s\\. It waits for: .*configmaps\\. has 1 resource instances; .*${finalizer} in 1 resource instances`,
      "g",
    );
    await vi.waitUntil(() => [...run.output.matchAll(message)].length >= 2, waiting);
    const seen = await documented(/Then use these commands:\n\n```sh\n([^`]*)```/, { NAMESPACE: namespace });
    expect(seen).toContain(`${finalizer} in 1 resource instances`);
    expect(seen).toContain(`ConfigMap/held ["${finalizer}"]`);
    await documented(/`(kubectl patch KIND [^`]*)`/, { NAMESPACE: namespace, KIND: "configmap", NAME: "held" });
    expect(await run.end()).toBe(0);
    expect(await admin.find(pathFor("v1", "Namespace", undefined, namespace))).toBeUndefined();
  });

  test("its Secret", async () => {
    const namespace = fresh("held");
    await using stack = await TestStack.make("held-secret", { kubeconfig, allowLoopbackHost: true, namespace });
    await stack.up();
    const path = pathFor("v1", "Secret", namespace, "gateway-token-reviewer-token");
    const { metadata, ...rest } = await admin.get(path);
    await admin.replace(path, { ...rest, metadata: { ...metadata, finalizers: [finalizer] } });
    const run = stack.spawn(["destroy", "--yes", "--skip-preview"]);
    const message = `Secret "gateway-token-reviewer-token" in namespace ${namespace} is being deleted for`;
    await vi.waitUntil(() => run.output.includes(message), waiting);
    expect(run.output).toContain(`It waits for: finalizers: ${finalizer}.`);
    await release(path);
    expect(await run.end()).toBe(0);
  });
});

test("destroy of a stack whose cluster is gone names the way out, and that works", async () => {
  const sandbox = await startSandbox({ name: "gone", ephemeral: true });
  const content = changedKubeconfig(sandbox.kubeconfig, {});
  const settings = { kubeconfig: content, allowLoopbackHost: true, certificateFlow: true };
  await using stack = await TestStack.make("gone", settings);
  try {
    await stack.up();
  } finally {
    await sandbox.stop();
  }
  await expect(stack.destroy()).rejects.toThrow(
    /cluster is unreachable\. If the cluster was deleted, you can remove this resource from Pulumi state .*PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"/,
  );
  stack.env.PULUMI_K8S_DELETE_UNREACHABLE = "true";
  await stack.destroy();
  expect(JSON.parse(await stack.command("stack", "export")).deployment.resources ?? []).toEqual([]);
});
