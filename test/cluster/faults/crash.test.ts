import { describe, expect, test } from "vitest";
import { inventory, lodging } from "../../support/inventory.ts";
import { type Crash, crash, creationsInFlight, gone, recover, start } from "../../support/pulumi/crash.ts";
import type { RunProcess } from "../../support/pulumi/pulumiProcess.ts";
import { sharedSandbox } from "../../support/sandbox.ts";
import {
  admin,
  certificateObjects,
  expectWhole,
  make,
  makeProxied,
  patience,
  provedDirectly,
  proxy,
} from "./crashFixture.ts";

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
