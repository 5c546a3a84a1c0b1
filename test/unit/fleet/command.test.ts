import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { program } from "../../support/stack.ts";

const folder = mkdtempSync(join(tmpdir(), "k8sauth-command-"));
const list = join(folder, "fleet.yaml");
writeFileSync(list, "clusters: [{ name: eu }]");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}` };

function fleet(...args: string[]) {
  const main = join(program, "examples", "fleet", "main.ts");
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8", env });
}

test.each([
  ["no operation", [], /it needs one of up, preview, refresh, destroy, report/],
  ["an operation that there is not", ["upp"], /it needs one of/],
  ["an option that there is not", ["up", "--paralel", "2"], /--paralel/],
  ["a destroy that nobody confirmed", ["destroy", "--list", list], /destroy needs --yes/],
  ["a number that is none", ["up", "--parallel", "0", "--list", list], /--parallel is "0"; it is a number from 1 on/],
  ["an engine that there is not", ["up", "--engine", "terraform", "--list", list], /it is pulumi or embedded/],
  [
    "a cluster that the list has not",
    ["up", "--only", "us", "--list", list],
    /--only us: the list has no such cluster/,
  ],
  ["a list that is not there", ["up", "--list", join(folder, "none.yaml")], /list of clusters can't be read/],
])("%s ends with status 2, and says what is wrong", (_what, args, message) => {
  const { status, stderr } = fleet(...args);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test("help names the exit statuses", () => {
  const { status, stdout } = fleet("--help");
  expect(status).toBe(0);
  expect(stdout).toMatch(/Exit status: 0 all succeeded, 1 .* 2 .* 3 .* 7 .* 130/s);
});

test("a report of stacks that were never made is an empty one", () => {
  const { status, stdout, stderr } = fleet("report", "--engine", "embedded", "--list", list, "--report", "-");
  expect(status, stderr).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    operation: "report",
    stacks: [{ cluster: "eu", credentials: 0 }],
    credentials: [],
  });
});
