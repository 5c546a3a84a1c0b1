/** Sandboxes whose processes are killed, and starts that are cancelled. */
import { existsSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { identify, isAlive } from "../../sandbox/build/process.ts";
import { sandboxStatus, startSandbox } from "../../sandbox/index.ts";
import { driver } from "../support/processes/sandboxDriver.ts";
import { call, env, processesOf, soon } from "./sandboxFixture.ts";

describe("after a kill -9", () => {
  test("of the supervisor, its servers end, and the next start replaces what is left", async () => {
    const first = await startSandbox({ name: "killed", env });
    const ids = processesOf(first);
    process.kill(first.pids.supervisor!, "SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    expect((await sandboxStatus("killed", env)).condition).toBe("damaged");

    const second = await startSandbox({ name: "killed", env });
    expect((await call(second, "/readyz")).status).toBe(200);
    expect(second.caPem).not.toBe(first.caPem);
    await second.stop();
    expect(existsSync(second.dir)).toBe(false);
  });

  test("of a server, the next start replaces the sandbox and leaves no process of the old one", async () => {
    const first = await startSandbox({ name: "half", env });
    const ids = processesOf(first);
    await first.component("etcd").kill();
    const second = await startSandbox({ name: "half", env });
    expect(ids.filter(isAlive)).toEqual([]);
    expect((await call(second, "/readyz")).status).toBe(200);
    await second.stop();
  });

  test("of the driver while the sandbox starts, nothing stays and a new start works", async () => {
    const { child, line } = driver(
      `await startSandbox({ name: "begun", onProgress: (p) => console.log(p.phase) });`,
      env,
      soon,
    );
    await line(/^start$/);
    const supervisor = await vi.waitFor(async () => {
      const status = await sandboxStatus("begun", env);
      expect(Object.keys(status.pids)).toHaveLength(4);
      return status;
    }, soon);
    const ids = Object.values(supervisor.pids).map((pid) => identify(pid));
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    await vi.waitFor(() => expect(existsSync(supervisor.dir)).toBe(false), soon);

    const sandbox = await startSandbox({ name: "begun", env });
    expect((await call(sandbox, "/readyz")).status).toBe(200);
    await sandbox.stop();
  });

  test("of the driver after the start, the sandbox lives on", async () => {
    const { child, line } = driver(
      `await startSandbox({ name: "lasting" }); console.log("up"); setInterval(() => {}, 1000);`,
      env,
      soon,
    );
    await line(/^up$/);
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(child.signalCode).toBe("SIGKILL"), soon);
    const sandbox = await startSandbox({ name: "lasting", env });
    expect((await call(sandbox, "/readyz")).status).toBe(200);
    await sandbox.stop();
  });

  test("of the parent of an ephemeral sandbox, nothing stays", async () => {
    const { child, line } = driver(
      `const s = await startSandbox({ ephemeral: true }); console.log(JSON.stringify([s.dir, s.pids])); setInterval(() => {}, 1000);`,
      env,
      soon,
    );
    const [dir, pids] = JSON.parse(await line(/^\[/)) as [string, Record<string, number>];
    const ids = Object.values(pids).map((pid) => identify(pid));
    expect(ids.filter(isAlive)).toHaveLength(4);
    child.kill("SIGKILL");
    await vi.waitFor(() => expect(ids.filter(isAlive)).toEqual([]), soon);
    await vi.waitFor(() => expect(existsSync(dir)).toBe(false), soon);
  });
});

test("a start that is cancelled leaves nothing", async () => {
  const abort = new AbortController();
  const onProgress = ({ phase }: { phase: string }) => phase === "start" && abort.abort();
  await expect(startSandbox({ name: "gone", env, signal: abort.signal, onProgress })).rejects.toMatchObject({
    code: "SANDBOX_ABORTED",
  });
  expect((await sandboxStatus("gone", env)).condition).toBe("absent");
});
