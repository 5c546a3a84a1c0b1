import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { exportStack, importStack, type Value } from "../../engine/index.ts";
import type { KubeClient } from "../../kube/index.ts";
import { EngineProcess } from "../support/engineProcess.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";
import { TestStack } from "../support/stack.ts";

const settings = { kubeconfig: inject("kubeconfig"), allowLoopbackHost: true, certificateFlow: true };
let admin: KubeClient;
let before: string[];

beforeAll(async () => {
  admin = await adminOf(inject("kubeconfig"));
  before = await inventory(admin);
});
afterAll(() => admin?.close());

/** The stack in another state folder, with other settings files. */
async function moved(env: NodeJS.ProcessEnv = {}): Promise<TestStack> {
  return TestStack.make("moving", settings, env);
}

/** What a move has to bring along: nothing changes, the credentials live, and destroy finds everything. */
async function expectWhole(target: TestStack, outputs: object): Promise<void> {
  expect((await target.preview()).changes).toEqual({ same: expect.any(Number) });
  expect(await target.outputs()).toEqual(outputs);
  await target.refresh();
  await target.up();
  expect(target.steps).toEqual([]);
  expect(await reviewSelf((await target.outputs()).clusterAccess as unknown as Access)).toMatchObject({
    authenticated: true,
  });
  await target.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
}

test("an exported stack goes on from another state folder: no changes, the same outputs, and destroy leaves nothing", async () => {
  await using source = await moved();
  await source.up();
  const outputs = await source.outputs();
  await using target = await moved();
  const file = join(target.folder, "export.json");
  const steps = [
    [source, "export"],
    [target, "import"],
  ] as const;
  for (const [stack, action] of steps) {
    const run = EngineProcess.run(stack, "stack", [action, "--file", file]);
    expect(await run.end(), run.output).toBe(0);
  }
  await rm(source.stateFile);
  await expectWhole(target, outputs);
});

test("and under another passphrase, by an export with the secrets shown", async () => {
  await using source = await moved();
  await source.up();
  const outputs = await source.outputs();
  await using target = await moved({ PULUMI_CONFIG_PASSPHRASE: "another passphrase" });
  const { token } = outputs.clusterAccess as unknown as Access;
  const shown = JSON.stringify(await exportStack({ ...source.options(), showSecrets: true }));
  expect(shown).toContain(token);
  await importStack(target.options(), JSON.parse(shown) as Value);
  expect(await readFile(target.stateFile, "utf8")).not.toContain(token);
  await rm(source.stateFile);
  await expectWhole(target, outputs);
});
