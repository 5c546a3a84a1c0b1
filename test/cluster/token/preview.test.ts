import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { changedKubeconfig } from "../../support/kubeconfigs.ts";
import { Wire } from "../../support/proxies/wire.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let server: string;
/** Duration of a preview on this machine with a cluster that answers, in milliseconds. Five seconds more, twice for a busy machine, are the limit. */
let usual: number;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  ({ server } = await loadConnection({ kubeconfig }, {}));
  await using stack = await TestStack.make("usual", { kubeconfig, allowLoopbackHost: true });
  usual = (await timedPreview(stack)).took;
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
  admin?.close();
});

async function timedPreview(stack: TestStack) {
  const started = performance.now();
  const result = await stack.preview();
  return { ...result, took: performance.now() - started };
}

/** The stack's outputs as the last preview showed them. */
async function previewedOutputs(stack: TestStack): Promise<unknown> {
  const lines = (await readFile(join(stack.folder, "events.log"), "utf8")).trim().split("\n");
  const outputs = lines.flatMap((line) => {
    const { metadata } = (JSON.parse(line) as { resOutputsEvent?: StepOutputs }).resOutputsEvent ?? {};
    return metadata?.type === "pulumi:pulumi:Stack" ? [metadata.new?.outputs] : [];
  });
  return outputs.at(-1);
}

interface StepOutputs {
  readonly metadata: { readonly type: string; readonly new?: { readonly outputs?: unknown } };
}

/** A stack that reaches the cluster through its own proxy. */
async function wired(wire: Wire): Promise<TestStack> {
  const stack = await TestStack.make("wired", { allowLoopbackHost: true, ...home.settings });
  const file = join(stack.folder, "kubeconfig");
  await writeFile(file, changedKubeconfig(kubeconfig, { cluster: { server: wire.url } }));
  await stack.configure({ kubeconfig: file });
  return stack;
}

const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const failures: [string, (wire: Wire) => void][] = [
  ["that refuses connections", (wire) => wire.cut()],
  ["that never answers", (wire) => wire.silence()],
];

describe.each(failures)("a preview without a cluster, one %s,", (_what, fail) => {
  test("of a new stack shows what would be created, and what is not known yet", async () => {
    await using wire = await Wire.to(server);
    fail(wire);
    await using stack = await wired(wire);
    const before = await inventory(admin);
    const { changes, took } = await timedPreview(stack);
    expect(changes).toMatchObject({ create: expect.any(Number) });
    expect(changes.create).toBeGreaterThan(7);
    expect(await previewedOutputs(stack)).toMatchObject({
      cluster: { issuer: unknown, version: unknown, uid: unknown },
      credentials: { token: { kind: "Secret", fingerprint: unknown, subject: unknown } },
    });
    expect(stack.said).toMatch(/The cluster was not checked/);
    expect(took).toBeLessThan(usual + 10_000);
    expect(await inventory(admin)).toEqual(before);
  });

  test("of a stack that exists fails; with `offline: warn` it shows no change that is none. It leaves the state alone", async () => {
    await using wire = await Wire.to(server);
    await using stack = await wired(wire);
    await stack.up();
    const state = await readFile(stack.stateFile, "utf8");
    fail(wire);
    await expect(stack.preview()).rejects.toThrow(/KUBE_(REFUSED|TIMEOUT): The cluster was not checked/);
    await stack.configure({ offline: "warn" });
    const { changes, took } = await timedPreview(stack);
    expect(changes).toEqual({ same: expect.any(Number) });
    // Pulumi's Kubernetes plugin gives a server that is silent several chances.
    expect(took).toBeLessThan(usual + 60_000);
    expect(await readFile(stack.stateFile, "utf8")).toBe(state);
    await stack.configure({ kubeconfig, offline: undefined });
    await stack.up();
  });
});

test("a preview with a cluster makes nothing in it, and writes no state", async () => {
  const before = await inventory(admin);
  await using stack = await TestStack.make("nothing", { kubeconfig, allowLoopbackHost: true });
  const { changes } = await stack.preview();
  expect(Object.keys(changes)).toEqual(["create"]);
  expect(await inventory(admin)).toEqual(before);
  const { checkpoint } = JSON.parse(await readFile(stack.stateFile, "utf8")) as { checkpoint: { latest?: object } };
  expect(checkpoint.latest ?? {}).not.toHaveProperty("resources");
});
