import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { program } from "../../support/project.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "k8sauth-fleet-"));
  await writeFile(join(folder, "fleet.yaml"), "clusters: { eu: }");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test.each([
  ["without an operation", [], /^Usage: node main.ts up\|preview/],
  ["with an unknown operation", ["destroy"], /^Usage: node main.ts up\|preview/],
  ["with an unknown option", ["up", "--all"], /Unknown option '--all'/],
  ["with a list that does not exist", ["up", "--list", "none.yaml"], /none\.yaml/],
  ["without Pulumi", ["up"], /`pulumi` does not start.*npx --no k8sauth pulumi --print-env/],
])("%s the command ends with status 2 and says why", (_case, args, message) => {
  const main = join(program, "examples", "fleet", "main.ts");
  const run = spawnSync(process.execPath, [main, ...args], { cwd: folder, env: { PATH: folder }, encoding: "utf8" });
  expect(run.stderr).toMatch(message);
  expect(run.status).toBe(2);
});
