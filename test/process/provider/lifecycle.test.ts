import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { startEngine } from "../../support/plugin/engine.ts";
import { Plugin, pluginPath } from "../../support/plugin/plugin.ts";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 50));
}

test("ends when the process that started it is killed", async () => {
  const script = `const c = require("child_process").spawn(${JSON.stringify(pluginPath)}, [], {stdio: ["ignore", "pipe", "inherit"]}); c.stdout.once("data", () => console.log(c.pid)); setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(parent.stdout), "line")) as [string];
  const pid = Number(line);
  expect(isAlive(pid)).toBe(true);
  parent.kill("SIGKILL");
  await ended(pid);
});

test("ends when its engine no longer answers", async () => {
  const engine = await startEngine();
  await using plugin = await Plugin.start(engine);
  expect(await plugin.version()).toBeTruthy();
  engine.stop();
  await once(plugin.child, "exit");
  expect(plugin.child.exitCode).toBe(0);
});

test("says clearly when Node.js is too old", () => {
  const start = join(dirname(pluginPath), "start.cjs");
  const { status, stderr } = spawnSync(process.execPath, ["--no-experimental-strip-types", start], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/needs Node\.js >= 24\.5.*is v\d+/);
});

test("says clearly when there is no Node.js", () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "provider-"));
  const copy = join(folder.path, "pulumi-resource-k8sauth");
  writeFileSync(copy, spawnSync("cat", [pluginPath]).stdout, { mode: 0o755 });
  const { status, stderr } = spawnSync("/bin/sh", [copy], { encoding: "utf8", env: { PATH: folder.path } });
  expect(status).toBe(1);
  expect(stderr).toMatch(/needs Node\.js >= 24\.5, and there is no node on the PATH/);
});
