import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkOrphans } from "../../../cli/checks/orphans.ts";
import { type KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, type Lodging, lodging } from "../../support/inventory.ts";
import { interceptingProxy } from "../../support/proxies/interceptingProxy.ts";
import { deploymentOf, gone, locks, objectsInState, start } from "../../support/pulumi/crash.ts";
import type { EngineEvent } from "../../support/pulumi/engineEvents.ts";
import { PulumiProcess } from "../../support/pulumi/pulumiProcess.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
const sandbox = sharedSandbox();
let admin: KubeClient;
let home: Lodging;
let stack: TestStack;

/** How long a run may go on after Ctrl-C: two seconds, and as many again for a busy machine. */
const limit = 4_000;

/** Exit status of the CLI after Ctrl-C. */
const cancelled = 1;

/** A bound for conditions that a slow machine reaches late, in milliseconds; the test's own limit comes first. */
const patience = 300_000;

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

/** Interrupts a run when an event comes. Returns how the run failed, and how long it went on. */
async function interrupted(run: (signal: AbortSignal) => Promise<unknown>, at: (event: EngineEvent) => boolean) {
  const controller = new AbortController();
  let since = Number.NaN;
  stack.onEvent = (event) => {
    if (!Number.isNaN(since) || !at(event)) return;
    since = performance.now();
    controller.abort();
  };
  const error = await run(controller.signal).then(
    () => expect.fail("the run was not cancelled"),
    (thrown: Error) => thrown,
  );
  stack.onEvent = () => {};
  return { error, took: performance.now() - since };
}

test("an interrupted wait ends at once, with the state saved and the lock gone, and the next up finishes", async () => {
  sandbox.component("kube-controller-manager").pause();
  const waiting = (event: EngineEvent) =>
    event.kind === "diagnostic" && event.message.startsWith("Waiting for the token");
  const { error, took } = await interrupted((signal) => stack.up(signal), waiting);
  expect(error).toMatchObject({ status: cancelled });
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

test("a run whose creation is never answered ends at Ctrl-C, the next up finishes, and check names the orphan", async () => {
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  await using proxy = await interceptingProxy(server, caPem);
  await stack.configureSecret("kubeconfig", kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) }));
  const before = await inventory(admin);
  let reached = false;
  proxy.answered = (method, path) => {
    if (!["POST", "PATCH"].includes(method) || !path.includes("/clusterroles")) return true;
    reached = true;
    return false;
  };
  const run = await start(stack, "up");
  await expect.poll(() => reached, { timeout: patience }).toBe(true);
  const since = performance.now();
  run.child.kill("SIGINT");
  expect(await run.end(), run.output).not.toBe(0);
  expect(performance.now() - since).toBeLessThan(limit);
  await gone(stack, 2_000);
  expect(await locks(stack)).toEqual([]);
  // To the engine the creation has failed: nothing is pending, nothing is to be cancelled.
  expect((await deploymentOf(stack)).pending_operations ?? []).toEqual([]);
  proxy.answered = () => true;
  await stack.up();
  const known = await objectsInState(stack);
  expect(added([], known)).toEqual([
    "ClusterRole gateway-token-reviewer-#",
    "ClusterRoleBinding gateway-token-reviewer-#",
    `Secret ${home.shown}/gateway-token-reviewer-token`,
    `ServiceAccount ${home.shown}/gateway-token-reviewer`,
  ]);
  const orphans = (await inventory(admin)).filter((object) => ![...before, ...known].includes(object));
  expect(added([], orphans)).toEqual(["ClusterRole gateway-token-reviewer-#"]);
  expect(await checkOrphans({ deployment: await deploymentOf(stack) }, admin)).toMatchObject([
    { holds: true },
    { holds: false, seen: expect.stringContaining(`orphaned: ${orphans[0]};`) },
  ]);
});

test("a cancelled destroy begins no further deletion, and the next one finishes", async () => {
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  await using proxy = await interceptingProxy(server, caPem);
  await stack.configureSecret("kubeconfig", kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) }));
  const before = await inventory(admin);
  await stack.up();
  const { promise: cancelling, resolve: release } = Promise.withResolvers<void>();
  let reached = false;
  proxy.answered = async (method, path) => {
    if (method !== "DELETE" || !path.includes("/secrets/")) return true;
    reached = true;
    await cancelling;
    return true;
  };
  const run = await start(stack, "destroy");
  await expect.poll(() => reached, { timeout: patience }).toBe(true);
  const since = performance.now();
  run.child.kill("SIGINT");
  await expect.poll(() => run.output, { timeout: patience }).toMatch(/cancelling/);
  release();
  expect(await run.end(), run.output).toBe(cancelled);
  expect(performance.now() - since).toBeLessThan(limit);
  expect(await locks(stack)).toEqual([]);
  expect(added(before, await inventory(admin))).not.toEqual([]);
  await stack.destroy();
  expect(added(before, await inventory(admin))).toEqual([]);
});

describe.each([
  ["before it has read its settings", () => true],
  ["while the program starts", (run: PulumiProcess) => run.processes().some(({ role }) => role === "program")],
  ["while it creates objects", (run: PulumiProcess) => /Secret \S+ creating/.test(run.output)],
])("Ctrl-C %s", (_when, reached) => {
  test("ends the command and all that it started, and leaves no lock", async () => {
    sandbox.component("kube-controller-manager").pause();
    const run = await start(stack, "up");
    await expect.poll(() => reached(run), { timeout: patience, interval: 5 }).toBe(true);
    const since = performance.now();
    run.child.kill("SIGINT");
    expect(await run.end(), run.output).not.toBe(0);
    expect(performance.now() - since).toBeLessThan(limit);
    await gone(stack, 2_000);
    expect(await locks(stack)).toEqual([]);
    sandbox.component("kube-controller-manager").resume();
    await stack.up();
    const { token } = (await stack.outputs()).clusterAccess as unknown as Access;
    expect(token).not.toBe("");
  });
});

describe("a second Ctrl-C", () => {
  const waiting = (run: PulumiProcess) =>
    expect.poll(() => run.output, { timeout: patience }).toMatch(/Waiting for the token/);

  test("ends the command at once, and everything that it started", async () => {
    sandbox.component("kube-controller-manager").pause();
    const run = await start(stack, "up");
    await waiting(run);
    run.child.kill("SIGINT");
    await expect.poll(() => run.output, { interval: 1 }).toMatch(/cancel/i);
    run.child.kill("SIGINT");
    await run.end();
    await gone(stack, 2_000);
  });

  test("that reaches `k8sauth pulumi` alone is passed on", async () => {
    sandbox.component("kube-apiserver").pause();
    await stack.initialize();
    const args = ["pulumi", "up", "--yes", "--skip-preview", "--stack", stack.name, "--cwd", stack.folder];
    const run = new PulumiProcess(process.execPath, [join(program, "cli", "main.ts"), ...args], stack.env);
    await expect.poll(() => run.processes().length, { timeout: patience }).toBeGreaterThan(2);
    run.child.kill("SIGINT");
    run.child.kill("SIGINT");
    await run.end();
    await gone(stack, 2_000);
  });
});
