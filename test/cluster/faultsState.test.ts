import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { KubeClient } from "../../kube/index.ts";
import { adminOf, inventory, type Lodging, lodging } from "../support/inventory.ts";
import { TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;
let state: string;
let objects: string[];

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  home = await lodging(admin);
  stack = await TestStack.make("state", { kubeconfig, allowLoopbackHost: true, ...home.settings });
  await stack.up();
  state = await readFile(stack.stateFile, "utf8");
  objects = await inventory(admin);
});

beforeEach(() => writeFile(stack.stateFile, state));

afterEach(async () => {
  stack.env.PULUMI_CONFIG_PASSPHRASE = "a passphrase for tests";
  expect(await inventory(admin)).toEqual(objects);
});

afterAll(async () => {
  await writeFile(stack.stateFile, state);
  await stack[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  admin.close();
});

const operations = ["up", "preview", "refresh", "destroy"] as const;

/** What every operation says of a state file with this content, which must still be there then. */
async function expectRefused(content: string, code: string): Promise<void> {
  await writeFile(stack.stateFile, content);
  for (const operation of operations) {
    await expect(stack[operation](), operation).rejects.toMatchObject({ code });
    expect(await readFile(stack.stateFile, "utf8")).toBe(content);
  }
}

function changed(change: (file: { version: number; features?: string[]; checkpoint: Checkpoint }) => void): string {
  const file = JSON.parse(state);
  change(file);
  return JSON.stringify(file);
}

interface Checkpoint {
  stack: string;
  latest: { resources: { outputs?: unknown }[]; secrets_providers: { type: string } };
}

describe("a state that can't be gone on with is refused, and neither it nor the cluster is changed:", () => {
  test("a corrupt one", () => expectRefused(state.slice(0, state.length / 2), "STATE_CORRUPT"));

  test("another stack's", () =>
    expectRefused(
      changed((file) => {
        file.checkpoint.stack = "organization/k8sauth/other";
      }),
      "STATE_FOREIGN",
    ));

  test("one of a version of the future", () =>
    expectRefused(
      changed((file) => {
        file.version = 99;
      }),
      "STATE_FOREIGN",
    ));

  test("one with features that are unknown", () =>
    expectRefused(
      changed((file) => {
        file.version = 4;
        file.features = ["hooks"];
      }),
      "STATE_FOREIGN",
    ));

  test("one that another secrets provider encrypts", () =>
    expectRefused(
      changed((file) => {
        file.checkpoint.latest.secrets_providers.type = "awskms";
      }),
      "SECRETS_PROVIDER_UNSUPPORTED",
    ));

  test("one with a secret that was tampered with", () =>
    expectRefused(state.replace(/("ciphertext": ?"v1:[^:]+:.{8}).{4}/, "$1AAAA"), "STATE_CORRUPT"));
});

test("a wrong passphrase is refused, and changes nothing", async () => {
  stack.env.PULUMI_CONFIG_PASSPHRASE = "wrong";
  await expectRefused(state, "PASSPHRASE_WRONG");
});

test("a lock of a running process is respected by all that write, and by nothing that only looks", async () => {
  const folder = join(stack.folder, "state", ".pulumi", "locks", "organization", "k8sauth", stack.name);
  const lock = { pid: process.pid, username: "root", hostname: hostname(), timestamp: "2026-01-01T00:00:00Z" };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "other.json"), JSON.stringify(lock));
  for (const operation of ["up", "refresh", "destroy"] as const) {
    await expect(stack[operation](), operation).rejects.toMatchObject({ code: "STACK_LOCKED" });
  }
  await stack.preview();
  await rm(join(folder, "other.json"));
  expect(await readFile(stack.stateFile, "utf8")).toBe(state);
});

test("state in a store that is no folder is refused", async () => {
  const before = stack.env.PULUMI_BACKEND_URL;
  stack.env.PULUMI_BACKEND_URL = "s3://bucket";
  for (const operation of operations) {
    await expect(stack[operation]()).rejects.toMatchObject({ code: "BACKEND_UNSUPPORTED" });
  }
  stack.env.PULUMI_BACKEND_URL = before;
});

test("a state that can't be written ends the up before anything is made", async () => {
  const blocked = await TestStack.make("blocked", { kubeconfig, allowLoopbackHost: true });
  await mkdir(dirname(dirname(blocked.stateFile)), { recursive: true });
  await writeFile(dirname(blocked.stateFile), "a file where a folder should be");
  await expect(blocked.up()).rejects.toThrow(/stacks\/k8sauth/);
  await rm(blocked.folder, { recursive: true });
});
