import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { policies } from "../../../policy/policies.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

test("importing the policies starts no pack", () => {
  const script = 'import("./policy/policies.ts").then(({ policies }) => console.log(policies.length))';
  const output = execFileSync(process.execPath, ["-e", script], { cwd: root, encoding: "utf8" });
  expect(Number(output)).toBe(policies.length);
});

test("the pack ends when the process that started it is killed", async () => {
  const folder = join(root, "policy");
  const runner = join(root, "node_modules", "@pulumi", "pulumi", "cmd", "run-policy-pack", "index.js");
  const script = `const child = require("node:child_process").spawn(process.execPath, ${JSON.stringify([runner, "127.0.0.1:1", folder])}, { cwd: ${JSON.stringify(folder)}, detached: true });
    child.stdout.once("data", () => console.log(child.pid)); setInterval(() => {}, 1e6);`;
  const starter = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: starter.stdout }), "line")) as [string];
  const isAlive = () => {
    try {
      return process.kill(Number(line), 0);
    } catch {
      return false;
    }
  };
  expect(isAlive()).toBe(true);
  starter.kill("SIGKILL");
  await expect.poll(isAlive, { timeout: 10_000, interval: 50 }).toBe(false);
});
