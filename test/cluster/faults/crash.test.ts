import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkOrphans } from "../../../cli/checks/orphans.ts";
import { KubeClient, loadConnection } from "../../../kubernetes/index.ts";
import { added, adminOf, inventory, lodging, tokenFlowObjects } from "../../support/inventory.ts";
import { type InterceptingProxy, interceptingProxy } from "../../support/proxies/interceptingProxy.ts";
import {
  type Crash,
  crash,
  creationsInFlight,
  deploymentOf,
  gone,
  locks,
  objectsInState,
  recover,
  start,
} from "../../support/pulumi/crash.ts";
import { PulumiProcess, type RunProcess } from "../../support/pulumi/pulumiProcess.ts";
import { program, TestStack } from "../../support/pulumi/stack.ts";
import { type Access, reviewSelf } from "../../support/reviewing.ts";
import { sharedSandbox, workerKubeconfig } from "../../support/sandbox.ts";
import { adminToken, kubeconfigFor } from "../providerFixture.ts";

const kubeconfig = workerKubeconfig();
let admin: KubeClient;
let proxy: InterceptingProxy;
/** A kubeconfig that leads through the proxy. */
let proxied: string;
/** Settings with which credentials are proved at the API server itself: the proxy ends TLS, and drops client certificates. */
let provedDirectly: { readonly kubernetesHost: string; readonly kubernetesCa: string };
const stacks: TestStack[] = [];
let count = 0;

/** A bound for conditions that a slow machine reaches late, in milliseconds; the test's own limit comes first. */
const patience = 300_000;

beforeAll(async () => {
  admin = await adminOf(kubeconfig);
  const { server, caPem } = await loadConnection({ kubeconfig }, {});
  proxy = await interceptingProxy(server, caPem);
  provedDirectly = { kubernetesHost: server, kubernetesCa: caPem };
  proxied = kubeconfigFor(proxy.url, proxy.caPem, { token: await adminToken(admin) });
});

afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack[Symbol.asyncDispose]()));
  await proxy?.[Symbol.asyncDispose]();
  admin?.close();
});

async function make(config: Record<string, string | boolean> = {}): Promise<TestStack> {
  const stack = await TestStack.make(`crash-${++count}`, { kubeconfig, allowLoopbackHost: true, ...config });
  stacks.push(stack);
  return stack;
}

/** A stack whose requests go through the proxy. */
async function makeProxied(config: Record<string, string | boolean> = {}): Promise<TestStack> {
  const stack = await make(config);
  await stack.configureSecret("kubeconfig", proxied);
  return stack;
}

const generated = ["Namespace", "ClusterRole", "ClusterRoleBinding"];

/**
 * Expects a stack to be as an undisturbed up leaves it, apart from orphans: at most one with a generated name for each creation that
 * was in flight. Returns the orphans.
 */
async function expectWhole(
  stack: TestStack,
  before: readonly string[],
  inFlight: readonly string[],
  objects = tokenFlowObjects,
): Promise<string[]> {
  const known = await objectsInState(stack);
  const found = (await inventory(admin)).filter((object) => !before.includes(object));
  expect(added([], known)).toEqual(objects);
  expect(found).toEqual(expect.arrayContaining(known));
  const orphans = found.filter((object) => !known.includes(object));
  const allowed = inFlight.filter((kind) => generated.includes(kind));
  for (const kind of orphans.map((orphan) => orphan.split(" ")[0] ?? "")) {
    expect(allowed, orphans.join(", ")).toContain(kind);
    allowed.splice(allowed.indexOf(kind), 1);
  }
  const { resources, pending_operations: pending } = await deploymentOf(stack);
  const urns = (resources ?? []).map(({ urn }) => urn);
  expect(urns).toEqual([...new Set(urns)]);
  expect(pending ?? []).toEqual([]);
  expect(await locks(stack)).toEqual([]);
  const access = (await stack.outputs()).clusterAccess as unknown as Access;
  expect(await reviewSelf(access)).toMatchObject({ authenticated: true });
  const seen = orphans.length > 0 ? expect.stringContaining(`orphaned: ${orphans.join(", ")};`) : expect.any(String);
  expect(await checkOrphans({ deployment: await deploymentOf(stack) }, admin)).toMatchObject([
    { holds: true },
    { holds: orphans.length === 0, seen },
  ]);
  return orphans;
}

const certificateObjects = [
  ...tokenFlowObjects,
  "ClusterRole gateway-client-certificate-#",
  "ClusterRoleBinding gateway-client-certificate-#",
].sort();

describe("cancel, up and refresh finish an up that was killed, and no credential is created twice:", () => {
  const points: Crash[] = [
    ...[1, 7, 13, 19].map((write): Crash => ({ role: "engine", write })),
    { write: 10 },
    { role: "language host", write: 9 },
    { role: "program", write: 9 },
    { role: "plugin", write: 13 },
  ];
  test.each(points)("%o", async (point) => {
    const before = await inventory(admin);
    const stack = await makeProxied({ ...provedDirectly, certificateFlow: true });
    let requests = 0;
    proxy.answered = (method, path, status) => {
      if (method === "POST" && /\/certificatesigningrequests$/.test(path) && status === 201) requests += 1;
      return true;
    };
    const killed = await crash(stack, "up", point);
    expect(killed, killed.output).toMatchObject({ reached: true });
    const inFlight = await creationsInFlight(stack);
    await recover(stack);
    await expectWhole(stack, before, inFlight, certificateObjects);
    expect(requests).toBe(1);
  });
});

test("a certificate request that was posted when the CLI was killed is the only one, and its certificate is collected", async () => {
  const before = await inventory(admin);
  const stack = await makeProxied({ ...provedDirectly, certificateFlow: true });
  const run = await start(stack, "up");
  let requests = 0;
  proxy.answered = (method, path, status) => {
    if (method !== "POST" || !/\/certificatesigningrequests$/.test(path) || status !== 201) return true;
    requests += 1;
    if (requests === 1) run.kill("engine");
    return true;
  };
  await run.end();
  expect(requests, run.output).toBe(1);
  await gone(stack);
  const inFlight = await creationsInFlight(stack);
  await recover(stack);
  expect(requests).toBe(1);
  await expectWhole(stack, before, inFlight, certificateObjects);
});

describe("an object that was created, and whose creator was killed before it knew,", () => {
  /** Kills the CLI when the API server has created an object of this kind, and answers nothing. */
  async function killedAtCreationOf(stack: TestStack, plural: string): Promise<string[]> {
    const run = await start(stack, "up");
    const creation = new RegExp(`/${plural}(/[^/?]+)?(\\?(?!.*dryRun).*)?$`);
    proxy.answered = (method, path) => {
      if (!["POST", "PATCH"].includes(method) || !creation.test(path)) return true;
      run.kill("engine");
      return false;
    };
    await run.end();
    await gone(stack);
    proxy.answered = () => true;
    return creationsInFlight(stack);
  }

  test.each([
    ["serviceaccounts", "ServiceAccount"],
    ["secrets", "Secret"],
  ])("is found again under its fixed name: %s", async (plural, kind) => {
    const before = await inventory(admin);
    const stack = await makeProxied();
    const inFlight = await killedAtCreationOf(stack, plural);
    expect(inFlight).toContain(kind);
    await recover(stack);
    // Creations that were under way at the same time may leave others.
    expect(await expectWhole(stack, before, inFlight)).not.toContainEqual(expect.stringMatching(`^${kind} `));
  });

  test.each([
    ["namespaces", "Namespace"],
    ["clusterroles", "ClusterRole"],
    ["clusterrolebindings", "ClusterRoleBinding"],
  ])("is an orphan under its generated name, and check names it: %s", async (plural, kind) => {
    const before = await inventory(admin);
    const stack = await makeProxied();
    const inFlight = await killedAtCreationOf(stack, plural);
    await recover(stack);
    const orphans = await expectWhole(stack, before, inFlight);
    expect(orphans).toEqual(expect.arrayContaining([expect.stringMatching(`^${kind} gateway-token-reviewer-`)]));
  });
});

describe("cancel, up and refresh finish a replacement that was killed", () => {
  test.each([{ write: 5 }, { role: "engine", write: 11 }] as const)("%o", async (point) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await stack.up();
    await stack.configure({ serviceAccountName: "other-reviewer" });
    const killed = await crash(stack, "up", point);
    expect(killed, killed.output).toMatchObject({ reached: true });
    const inFlight = await creationsInFlight(stack);
    await recover(stack);
    await expectWhole(stack, before, inFlight, [
      "ClusterRole gateway-token-reviewer-#",
      "ClusterRoleBinding gateway-token-reviewer-#",
      `Secret ${home.shown}/other-reviewer-token`,
      `ServiceAccount ${home.shown}/other-reviewer`,
    ]);
  });

  test("also if the old object had to be deleted first, and the new one was created under its name", async () => {
    await using home = await lodging(admin);
    const stack = await makeProxied({ ...home.settings, bindingName: "k8sauth-test-crash" });
    await stack.up();
    await stack.configure({ reviewerRole: "auth-delegator" });
    const run = await start(stack, "up");
    let reached = false;
    proxy.answered = (method, path) => {
      if (!["POST", "PATCH"].includes(method) || !path.includes("/clusterrolebindings")) return true;
      reached = true;
      run.kill("engine");
      return false;
    };
    await run.end();
    await gone(stack);
    proxy.answered = () => true;
    expect(reached, run.output).toBe(true);
    await recover(stack);
    const path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/k8sauth-test-crash";
    expect((await admin.get(path)).roleRef).toMatchObject({ name: "system:auth-delegator" });
    await stack.up();
    expect(stack.steps).toEqual([]);
  });
});

describe("a destroy", () => {
  test.each([3, 9])("after an up that was killed at write %i leaves orphans alone", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await crash(stack, "up", { write });
    const inFlight = await creationsInFlight(stack);
    await recover(stack);
    const orphans = (await inventory(admin))
      .filter((object) => !before.includes(object))
      .filter((object) => inFlight.includes(object.split(" ")[0] ?? ""));
    await stack.destroy();
    const left = (await inventory(admin)).filter((object) => !before.includes(object));
    expect(orphans).toEqual(expect.arrayContaining(left));
  });

  test.each([2, 7])("that was killed at write %i is finished by cancel and destroy", async (write) => {
    await using home = await lodging(admin);
    const before = await inventory(admin);
    const stack = await make(home.settings);
    await stack.up();
    const killed = await crash(stack, "destroy", { role: "engine", write });
    expect(killed, killed.output).toMatchObject({ reached: true });
    await stack.command("cancel", "--yes");
    await stack.destroy();
    expect(added(before, await inventory(admin))).toEqual([]);
    expect((await deploymentOf(stack)).resources ?? []).toEqual([]);
  });
});

describe("of a stack without orphans", () => {
  let stack: TestStack;

  beforeAll(async () => {
    stack = await make();
    await stack.up();
  });

  test("`k8sauth check` says that every labelled object is in the state", async () => {
    const args = ["check", "--stack", stack.name, "--cwd", stack.folder, "--json"];
    const run = new PulumiProcess(process.execPath, [join(program, "cli", "main.ts"), ...args], stack.env);
    expect(await run.end(), run.output).toBe(0);
    expect((JSON.parse(run.stdout) as { findings: unknown }).findings).toContainEqual({
      claim: expect.stringMatching(
        /^every object with the label k8sauth\.dev\/stack=crash-\d+-[0-9a-f]+ is in the stack's state$/,
      ),
      holds: true,
      seen: "5 objects",
    });
  });

  test("check says that it could not look if its user may not list", async () => {
    const { host, caPem, token } = (await stack.outputs()).clusterAccess as unknown as Access;
    using reviewer = KubeClient.direct({ server: host, caPem, token, label: "the reviewer" });
    expect(await checkOrphans({ deployment: await deploymentOf(stack) }, reviewer)).toMatchObject([
      { holds: true },
      {
        holds: null,
        seen: expect.stringMatching(/^could not look for .*forbidden for namespaces, serviceaccounts, secrets,/),
      },
    ]);
  });
});

test("every process of a run ends within 2 s of the death of its engine", async () => {
  const sandbox = sharedSandbox();
  sandbox.component("kube-controller-manager").pause();
  try {
    await using home = await lodging(admin);
    const stack = await make({ ...home.settings, certificateFlow: true });
    const run = await start(stack, "up");
    const roles = (role: RunProcess["role"]) => run.processes().filter((found) => found.role === role);
    // Without a controller manager the run waits for the token.
    await expect.poll(() => run.output, { timeout: patience }).toMatch(/Waiting for the token/);
    expect(roles("language host")).toHaveLength(1);
    expect(roles("program")).toHaveLength(1);
    const plugins = roles("plugin").map(({ commandLine }) => commandLine);
    for (const name of ["kubernetes", "tls", "provider"]) {
      expect(plugins).toContainEqual(expect.stringContaining(name));
    }
    run.kill("engine");
    expect(await gone(stack)).toBeLessThan(2_000);
  } finally {
    sandbox.component("kube-controller-manager").resume();
  }
});
