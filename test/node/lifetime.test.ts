import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { identify, isAlive } from "../../sandbox/build/process.ts";
import { readRecord } from "../../sandbox/cluster/state.ts";
import { openSandbox, type Sandbox, sandboxStatus, startSandbox, stopSandbox } from "../../sandbox/index.ts";
import { driver } from "../support/processes/sandboxDriver.ts";
import { apply, kubectl, noNode, pod, podReady, restrictedNamespace, soon } from "./pods.ts";
import { cgroupFolders, machineTraces, namespaceOf } from "./traces.ts";

/** Processes, mounts and interfaces of one sandbox, which must not exist after it. */
function tracesOf(dir: string, pids: Sandbox["pids"]) {
  const cgroup = readRecord(dir)?.node?.cgroup ?? "";
  const inside = namespaceOf(pids.init ?? 0);
  const outside = [pids.run, pids.guard].map((pid) => identify(pid ?? 0));
  expect(cgroupFolders(cgroup)).not.toEqual([]);
  return () => ({
    processes: inside(),
    outside: outside.filter(isAlive),
    cgroups: cgroupFolders(cgroup),
  });
}

const nothing = { processes: [], outside: [], cgroups: [] };

describe.skipIf(noNode)("a sandbox with a node", () => {
  let home: string;
  let env: NodeJS.ProcessEnv;
  let before: ReturnType<typeof machineTraces>;

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "node-test-"));
    env = { ...process.env, XDG_STATE_HOME: join(home, "state") };
    before = machineTraces();
  });

  afterAll(async () => {
    for (const name of ["stopped", "killed"]) await stopSandbox(name, env);
    rmSync(home, { recursive: true, force: true });
  });

  test("runs beside others, changes nothing of the machine while it does, and leaves nothing after stop", async () => {
    const sandbox = await startSandbox({ name: "stopped", node: { name: "blue" }, env });
    await runPod(sandbox);
    expect(await kubectl(sandbox, ["get", "nodes", "-o", "name"])).toBe("node/blue\n");
    expect(machineTraces()).toEqual(before);
    expect(await sandboxStatus("stopped", env)).toMatchObject({ condition: "running", node: "blue" });

    const traces = tracesOf(sandbox.dir, sandbox.pids);
    expect(traces().processes.length).toBeGreaterThan(10);
    await expect(startSandbox({ name: "stopped", node: true, env })).rejects.toMatchObject({
      code: "SANDBOX_DIFFERENT",
      message: expect.stringContaining("with the node blue"),
    });
    await sandbox.stop();
    expect(traces()).toEqual(nothing);
    expect(existsSync(sandbox.dir)).toBe(false);
    expect(machineTraces()).toEqual(before);
  });

  test.each(["supervisor", "init", "run"] as const)(
    "leaves nothing on the machine after a kill -9 of its %s",
    async (who) => {
      const sandbox = await startSandbox({ name: "killed", node: true, env });
      await runPod(sandbox);
      const traces = tracesOf(sandbox.dir, sandbox.pids);
      process.kill(sandbox.pids[who] ?? 0, "SIGKILL");
      await vi.waitFor(() => expect(traces()).toEqual(nothing), soon);
      expect(machineTraces()).toEqual(before);
      expect((await sandboxStatus("killed", env)).condition).toBe("damaged");
      expect(await stopSandbox("killed", env)).toBe(true);
      expect(existsSync(sandbox.dir)).toBe(false);
    },
  );

  test("goes with its guard killed as well, at the next stop", async () => {
    const { dir, pids } = await startSandbox({ name: "killed", node: true, env });
    const traces = tracesOf(dir, pids);
    for (const pid of [pids.guard, pids.run]) process.kill(pid ?? 0, "SIGKILL");
    await stopSandbox("killed", env);
    expect(traces()).toEqual(nothing);
  });

  test("outlives the process that started it, and its servers can be started again", async () => {
    const { child, line } = driver(
      `await startSandbox({ name: "killed", node: true }); console.log("up"); setInterval(() => {}, 1000);`,
      env,
      soon,
    );
    await line(/^up$/);
    child.kill("SIGKILL");
    await once(child, "close");
    const sandbox = await openSandbox("killed", env);
    for (const name of ["containerd", "kube-apiserver", "coredns"] as const) await sandbox.component(name).restart();
    await runPod(sandbox);
    await sandbox.stop();
  });

  test("that is ephemeral goes with the process that started it, folder and all", async () => {
    const { child, line } = driver(
      `const s = await startSandbox({ ephemeral: true, node: true }); console.log(JSON.stringify([s.dir, s.pids])); setInterval(() => {}, 1000);`,
      env,
      soon,
    );
    const [dir, pids] = JSON.parse(await line(/^\[/)) as [string, Sandbox["pids"]];
    const traces = tracesOf(dir, pids);
    child.kill("SIGKILL");
    await vi.waitFor(
      () => expect({ ...traces(), folder: existsSync(dir) }).toEqual({ ...nothing, folder: false }),
      soon,
    );
    expect(machineTraces()).toEqual(before);
  });

  test("leaves nothing when its start is cancelled", async () => {
    const abort = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }) =>
      phase === "start" && done > 0 && abort.abort();
    const start = startSandbox({ name: "stopped", node: true, env, signal: abort.signal, onProgress });
    await expect(start).rejects.toMatchObject({ code: "SANDBOX_ABORTED" });
    expect((await sandboxStatus("stopped", env)).condition).toBe("absent");
    expect(machineTraces()).toEqual(before);
  });

  async function runPod(sandbox: Sandbox): Promise<void> {
    const namespace = await restrictedNamespace(sandbox, "lifetime");
    await apply(
      sandbox,
      { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default", namespace } },
      pod({ namespace, name: "idle", script: "setInterval(() => {}, 1000)" }),
    );
    await podReady(sandbox, namespace, "idle");
  }
});
