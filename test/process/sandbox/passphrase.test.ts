import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spawnNode } from "../../support/processes/spawnNode.ts";

const module = JSON.stringify(fileURLToPath(new URL("../../../sandbox/pulumi/home.ts", import.meta.url)));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "k8sauth-home-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the passphrase of stacks is the same for processes that start at the same time", async () => {
  // Both have loaded everything before the first one writes.
  const start = join(folder, "start");
  const source = `
    const { existsSync, readFileSync } = await import("node:fs");
    const { passphraseFile } = await import(${module});
    console.log("ready");
    while (!existsSync(${JSON.stringify(start)})) await null;
    console.log("passphrase " + readFileSync(passphraseFile({ HOME: ${JSON.stringify(folder)} }), "utf8"));
  `;
  const processes = [spawnNode(source), spawnNode(source)];
  try {
    await Promise.all(processes.map((process) => process.line(/^ready$/)));
    writeFileSync(start, "");
    const [first, second] = await Promise.all(processes.map((process) => process.line(/^passphrase \S+/)));
    expect(first).toBe(second);
  } finally {
    await Promise.all(processes.map((process) => process.kill()));
  }
  expect(existsSync(join(folder, ".local", "state", "k8sauth", "passphrase"))).toBe(true);
});
