import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { program } from "../../support/project.ts";

const home = mkdtempSync(join(tmpdir(), "k8sauth-sandbox-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function run(...args: string[]) {
  const env = { ...process.env, XDG_STATE_HOME: home };
  const main = join(program, "cli", "main.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "sandbox", ...args], { env, encoding: "utf8" });
  return { status, stdout, stderr };
}

test("sandbox prints its help with examples and exit codes", () => {
  const help = expect.stringMatching(/Examples[\s\S]+Exit status/);
  expect(run("--help")).toEqual({ status: 0, stdout: help, stderr: "" });
});

test.each([[[]], [["bogus"]], [["start", "--foo"]], [["stop", "--name", "X"]]])(
  "sandbox %j ends with exit code 2 and says what is wrong",
  (args: string[]) => {
    expect(run(...args)).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(/^k8sauth sandbox: ./) });
  },
);

test.each([[["kubeconfig"]], [["kubectl", "--", "get", "pods"]]])(
  "sandbox %j without a sandbox ends with exit code 1 and says what to do",
  (args: string[]) => {
    const { status, stderr } = run(...args);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("k8sauth sandbox start") });
  },
);
