import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test } from "vitest";
import type { EngineEvent } from "../../engine/index.ts";
import type { KubeClient } from "../../kube/index.ts";
import { locks } from "../support/crash.ts";
import { EngineProcess, leftOf } from "../support/engineProcess.ts";
import { added, adminOf, inventory, type Lodging, lodging } from "../support/inventory.ts";
import { type Access, reviewSelf } from "../support/reviewing.ts";
import { sharedSandbox } from "../support/sandbox.ts";
import { TestStack } from "../support/stack.ts";

const kubeconfig = inject("kubeconfig");
const sandbox = sharedSandbox(kubeconfig);
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

/** How long a run may go on after Ctrl-C: two seconds, and as many again for a busy machine. */
const limit = 4_000;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
});

beforeEach(async () => {
  home = await lodging(admin);
  stack = await TestStack.make("cancel", { kubeconfig, allowLoopbackHost: true, ...home.settings });
});

afterEach(async () => {
  for (const name of ["kube-controller-manager", "kube-apiserver"] as const) sandbox.component(name).resume();
  await stack[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

afterAll(() => admin?.close());

/** Cancels in the moment in which an event comes; answers how long the run then still took. */
async function cancelled(run: (signal: AbortSignal) => Promise<unknown>, at: (event: EngineEvent) => boolean) {
  const controller = new AbortController();
  let since = Number.NaN;
  stack.onEvent = (event) => {
    if (!Number.isNaN(since) || !at(event)) return;
    since = performance.now();
    controller.abort(new Error("Interrupted."));
  };
  const error = await run(controller.signal).then(
    () => expect.fail("the run came to its end"),
    (thrown: Error) => thrown,
  );
  stack.onEvent = () => {};
  return { error, took: performance.now() - since };
}

const started = (operation: string, type: string) => (event: EngineEvent) =>
  event.kind === "step" &&
  event.state === "started" &&
  event.operation === operation &&
  event.urn.includes(`:${type}::`);

async function pendingTypes(): Promise<string[]> {
  const { latest } = JSON.parse(await readFile(stack.stateFile, "utf8")).checkpoint;
  return (latest.pending_operations ?? []).map(({ type }: { type: string }) => type);
}

test("a cancelled wait ends at once, with the state saved and the lock gone, and the next up finishes", async () => {
  sandbox.component("kube-controller-manager").pause();
  const waiting = (event: EngineEvent) =>
    event.kind === "diagnostic" && event.message.startsWith("Waiting for the token");
  const { error, took } = await cancelled((signal) => stack.up(signal), waiting);
  expect(error).toMatchObject({ code: "CANCELLED" });
  expect(took).toBeLessThan(limit);
  expect(await locks(stack)).toEqual([]);
  expect(await readFile(stack.stateFile, "utf8")).toMatch(/gateway-token-reviewer-token/);
  sandbox.component("kube-controller-manager").resume();
  await stack.up();
  expect(stack.steps.filter((step) => step !== "create ReviewerToken")).toEqual([]);
  expect(await reviewSelf((await stack.outputs()).clusterAccess as unknown as Access)).toMatchObject({
    authenticated: true,
  });
});

test("a run that waits for a server that went silent is cancelled too, and nothing is lost", async () => {
  const before = await inventory(admin);
  const creation = started("create", "ClusterRole");
  const { took } = await cancelled(
    (signal) => stack.up(signal),
    (event) => {
      if (!creation(event)) return false;
      sandbox.component("kube-apiserver").pause();
      return true;
    },
  );
  expect(took).toBeLessThan(limit);
  expect(await locks(stack)).toEqual([]);
  sandbox.component("kube-apiserver").resume();
  await stack.up();
  expect(await pendingTypes()).toEqual([]);
  expect(added(before, await inventory(admin))).toEqual([
    "ClusterRole gateway-token-reviewer-#",
    "ClusterRoleBinding gateway-token-reviewer-#",
    `Secret ${home.shown}/gateway-token-reviewer-token`,
    `ServiceAccount ${home.shown}/gateway-token-reviewer`,
  ]);
});

test("a cancelled destroy begins no further deletion, and the next one finishes", async () => {
  const before = await inventory(admin);
  await stack.up();
  const { error, took } = await cancelled((signal) => stack.destroy(signal), started("delete", "Secret"));
  expect(error).toMatchObject({ code: "CANCELLED" });
  expect(took).toBeLessThan(limit);
  expect(await locks(stack)).toEqual([]);
  expect(added(before, await inventory(admin))).not.toEqual([]);
  await stack.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
});

test("an up that is cancelled before it begins does nothing", async () => {
  const before = await inventory(admin);
  const controller = new AbortController();
  const run = stack.up(controller.signal);
  controller.abort(new Error("Interrupted."));
  await expect(run).rejects.toThrow();
  expect(await inventory(admin)).toEqual(before);
  expect(await locks(stack)).toEqual([]);
});

test("Ctrl-C ends the command with status 130 and leaves no process", async () => {
  sandbox.component("kube-controller-manager").pause();
  const run = EngineProcess.run(stack, "up");
  while (!/\+ Secret/.test(run.output)) await new Promise((resolve) => setTimeout(resolve, 20));
  const since = performance.now();
  run.child.kill("SIGINT");
  expect(await run.end(), run.output).toBe(130);
  expect(performance.now() - since).toBeLessThan(limit);
  expect(leftOf(stack)).toEqual([]);
  expect(await locks(stack)).toEqual([]);
});
