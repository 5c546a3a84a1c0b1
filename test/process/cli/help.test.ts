import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { program } from "../../support/project.ts";

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(program, "cli", "main.ts"), ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const commands = ["start", "check", "sandbox", "doctor", "pulumi"];

test("the help names every command", () => {
  const { stdout } = run("help");
  expect(Array.from(stdout.matchAll(/^ {2}([a-z]+) +[A-Z]/gm), ([, name]) => name)).toEqual(commands);
});

test.each([[["help"]], ...commands.map((name) => [["help", name]])])("the text of %j fits 80 columns", (args) => {
  const { status, stdout, stderr } = run(...args);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("k8sauth");
  expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
});

test("an option that does not exist is named, and the help of the command with it", () => {
  expect(run("start", "--verbos")).toEqual({
    status: 2,
    stdout: "",
    stderr: "k8sauth start: Unknown option '--verbos'\nFor details: npx --no k8sauth help start\n",
  });
});
