import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { KubeClient } from "../../kube/index.ts";
import { added, adminOf, inventory } from "../support/inventory.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";
import { TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
let admin: KubeClient;
let folder: string;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  folder = await mkdtemp(join(tmpdir(), "k8sauth-stacks-"));
});

afterAll(async () => {
  admin?.close();
  await rm(folder, { recursive: true, force: true });
});

test("two stacks in one cluster do not touch each other, and a destroyed one leaves nothing", async () => {
  const before = await inventory(admin);
  await using one = await TestStack.make("one", { kubeconfig, allowLoopbackHost: true });
  await using two = await TestStack.make("two", { kubeconfig, allowLoopbackHost: true });
  await Promise.all([one.up(), two.up()]);
  const access = async (stack: TestStack) => (await stack.outputs()).clusterAccess as unknown as Access;
  const [first, second] = [await access(one), await access(two)];
  await one.destroy();
  expect(await reviewSelf(second)).toMatchObject({ authenticated: true });
  expect((await reviewSelf(first)).authenticated).toBe(false);
  expect((await two.preview()).changes).toEqual({ same: expect.any(Number) });
  await two.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
  expect(JSON.parse(await readFile(two.stateFile, "utf8")).checkpoint.latest.resources ?? []).toEqual([]);
});

/** Without a backend or passphrase in the environment. */
function bare(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { PULUMI_BACKEND_URL: undefined, PULUMI_CONFIG_PASSPHRASE: undefined, ...env };
}

test("without a backend the state is in the user's state folder, under a passphrase made for it", async () => {
  await using stack = await TestStack.make(
    "home",
    { kubeconfig, allowLoopbackHost: true },
    bare({ XDG_STATE_HOME: folder }),
  );
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  await stack.preview();
  const file = join(folder, "k8sauth", "passphrase");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(stack.env.PULUMI_CONFIG_PASSPHRASE).toBeUndefined();
});

test("the passphrase may come from a file", async () => {
  const file = join(folder, "passphrase.txt");
  await writeFile(file, "from a file\n");
  const env = bare({ XDG_STATE_HOME: folder, PULUMI_CONFIG_PASSPHRASE_FILE: file });
  await using stack = await TestStack.make("file", { kubeconfig, allowLoopbackHost: true }, env);
  await stack.configureSecret("kubeconfig", await readFile(kubeconfig, "utf8"));
  await stack.preview();
  stack.env.PULUMI_CONFIG_PASSPHRASE_FILE = undefined;
  stack.env.PULUMI_CONFIG_PASSPHRASE = "from a file";
  await stack.preview();
  stack.env.PULUMI_CONFIG_PASSPHRASE = "another";
  await expect(stack.preview()).rejects.toMatchObject({ code: "PASSPHRASE_WRONG" });
});
