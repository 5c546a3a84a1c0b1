/** docs/state.md: a stack that moves to another backend keeps its credentials. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { KubeClient } from "../../../kubernetes/index.ts";
import { fileBackend } from "../../../sandbox/pulumi/home.ts";
import { adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { workerKubeconfig } from "../../support/sandbox.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
let oldBackend: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});

beforeEach(async () => {
  home = await lodging(admin);
  stack = await TestStack.make("moving", { allowLoopbackHost: true, ...home.settings });
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  await stack.up();
  oldBackend = stack.env.PULUMI_BACKEND_URL ?? "";
});

afterEach(async () => {
  await stack[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

afterAll(() => admin?.close());

/** Runs a move, and expects objects and outputs to be the same in the new backend, which then finds nothing to do. */
async function expectMove(move: (newBackend: string) => Promise<void>): Promise<void> {
  const [outputs, objects] = [await stack.outputs(), await inventory(admin)];
  const newBackend = join(stack.folder, "new");
  await mkdir(newBackend);
  stack.env.PULUMI_BACKEND_URL = fileBackend(newBackend);
  await move(newBackend);
  await stack.preview({}, "--expect-no-changes");
  await stack.command("refresh", "--preview-only", "--expect-no-changes");
  expect(await stack.outputs()).toEqual(outputs);
  expect(await reviewSelf(outputs.clusterAccess as unknown as Access)).toMatchObject({ authenticated: true });

  const { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE } = stack.env;
  stack.env.PULUMI_BACKEND_URL = oldBackend;
  await stack.command("stack", "rm", "--force", "--preserve-config", "--yes");
  Object.assign(stack.env, { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE });
  expect(await inventory(admin)).toEqual(objects);
  await stack.up();
  expect(stack.steps).toEqual([]);
  await stack.destroy();
}

test("`stack migrate` moves a stack to another backend", () =>
  expectMove(async () => {
    await stack.command("stack", "migrate", oldBackend, stack.name, "--secrets-provider", "passphrase", "--yes");
  }));

test("an export in the clear and an import move it to another backend", async () => {
  const file = join(stack.folder, "exported.json");
  await stack.command("stack", "export", "--show-secrets", "--file", file);
  await expectMove(async () => {
    await rm(stack.configFile);
    await stack.configure({ kubeconfig: undefined });
    await stack.command("stack", "init", "--secrets-provider", "passphrase");
    await stack.command("stack", "import", "--file", file);
    await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  });
});

test("the state and the settings file hold no secret in the clear", async () => {
  const { token } = (await stack.outputs()).clusterAccess as unknown as Access;
  const files = (await readFile(stack.stateFile, "utf8")) + (await readFile(stack.configFile, "utf8"));
  expect(files).not.toContain(token);
  const [, key = expect.fail("the kubeconfig holds no key")] =
    /client-key-data: (\S+)/.exec(await readFile(kubeconfig, "utf8")) ?? [];
  expect(files).not.toContain(key);
});
