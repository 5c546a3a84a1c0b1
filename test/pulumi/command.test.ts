import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Stack } from "../../cli/stack.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { processesOf } from "../support/pulumi/pulumiProcess.ts";
import { built, k8sauth, Machine, run, startK8sauth } from "./machine.ts";

const execute = promisify(execFile);

let machine: Machine;
let env: NodeJS.ProcessEnv;
beforeEach(async () => {
  machine = await Machine.make();
  env = { ...machine.env, K8SAUTH_PULUMI: "build" };
});
afterEach(() => machine[Symbol.asyncDispose]());

const oneOutput = "export const answer = 42;";
/** A program that never ends; it says that it runs. */
const endless = 'console.log("the program runs"); setInterval(() => {}, 1000); await new Promise(() => {});';

describe("k8sauth pulumi", () => {
  test("passes arguments on, --help too, and prints what Pulumi prints", async () => {
    const { status, stdout } = await k8sauth(machine.folder, ["preview", "--help"], env);
    expect(stdout).toContain("pulumi preview [flags]");
    expect(stdout).toContain("--expect-no-changes");
    expect(status).toBe(0);
  });

  test("ends with Pulumi's exit status", async () => {
    const pulumi = await ensurePulumi({ env });
    const folder = await machine.project(oneOutput);
    const common = ["--non-interactive", "--color", "never"];
    for (const [args, expected] of [
      [["stack", "init", "dev"], 0],
      [["preview", "--expect-no-changes"], 7],
      [["up", "--yes", "--skip-preview"], 0],
      [["preview", "--expect-no-changes"], 0],
      [["no-such-command"], 1],
    ] as const) {
      expect([args, (await k8sauth(folder, [...args, ...common], env)).status]).toEqual([args, expected]);
    }
    const missing = ["stack", "select", "missing"];
    const { status, output } = await k8sauth(folder, [...missing, ...common], env);
    expect({ status, output }).toMatchObject({ output: expect.stringContaining("missing") });
    expect(status).toBe((await run(pulumi, folder, missing)).status);
    expect(status).toBeGreaterThan(0);
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "passes %s on: Pulumi ends its run and removes its lock",
    async (signal) => {
      const pulumi = await ensurePulumi({ env });
      const folder = await machine.project(endless);
      expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
      const flags = ["--yes", "--skip-preview", "--non-interactive", "--color", "never"];
      const up = startK8sauth(folder, ["up", ...flags], env);
      try {
        await said(up, "the program runs");
        expect(locks()).toHaveLength(1);
        up.child.kill(signal);
        const status = await up.end();
        expect(up.output).toContain("cancel");
        expect(status).toBeGreaterThan(0);
        expect(locks()).toEqual([]);
        expect(processesOf(pulumi)).toEqual([]);
        expect(readdirSync(join(pulumi.env.PULUMI_HOME, "tmp"))).toEqual([]);
      } finally {
        up.kill();
      }
    },
  );

  test("names the stacks that there are when a command of the product asks for another one", async () => {
    const pulumi = await ensurePulumi({ env });
    const folder = await machine.project(oneOutput);
    const missing = new Stack(pulumi, "missing", folder);
    await expect(missing.outputs()).rejects.toThrow(/no stack named 'missing' found.* has no stack of the project$/s);
    for (const name of ["dev", "staging"]) await run(pulumi, folder, ["stack", "init", name]);
    await expect(missing.outputs()).rejects.toThrow(
      /no stack named 'missing' found.*Stacks of the project: dev, staging$/s,
    );
  });

  test("leaves no kubeconfig behind, which Pulumi's Kubernetes plugin would", async () => {
    const pulumi = await ensurePulumi({ env });
    const server = "https://127.0.0.1:1";
    const kubeconfig = JSON.stringify({
      clusters: [{ name: "dev", cluster: { server } }],
      users: [{ name: "dev", user: { token: "canary" } }],
      contexts: [{ name: "dev", context: { cluster: "dev", user: "dev" } }],
      "current-context": "dev",
    });
    const folder = await machine.project(`
      import * as kubernetes from "@pulumi/kubernetes";
      const provider = new kubernetes.Provider("given", { kubeconfig: ${JSON.stringify(kubeconfig)} });
      new kubernetes.core.v1.ConfigMap("map", { data: {} }, { provider });
    `);
    expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
    const flags = ["--non-interactive", "--color", "never"];
    expect(await k8sauth(folder, ["preview", ...flags], env)).toMatchObject({ status: 0 });
    expect(readdirSync(machine.temporary)).toEqual([]);
    expect(readdirSync(join(pulumi.env.PULUMI_HOME, "tmp"))).toEqual([]);
    // The plugin was given one.
    expect(await run(pulumi, folder, ["preview"])).toMatchObject({ status: 0 });
    const left = readdirSync(machine.temporary).filter((name) => name.startsWith("kubeconfig"));
    expect(left.map((name) => readFileSync(join(machine.temporary, name), "utf8"))).toContainEqual(
      expect.stringContaining("canary"),
    );
  });

  test("prints its environment as lines that a POSIX shell reads", async () => {
    const { status, stdout } = await k8sauth(machine.folder, ["--print-env"], env);
    expect(status).toBe(0);
    const script = `${stdout} printf '%s\\n' "$PULUMI_HOME" "$PULUMI_BACKEND_URL" "$(command -v node)"; pulumi version`;
    const shell = await execute("sh", ["-eu", "-c", script], { env: { PATH: "/usr/bin:/bin" } });
    const pulumi = await ensurePulumi({ env });
    const [home, backend, node = "", version] = shell.stdout.trimEnd().split("\n");
    expect([home, backend]).toEqual([pulumi.env.PULUMI_HOME, pulumi.env.PULUMI_BACKEND_URL]);
    expect((await execute(node, ["--version"])).stdout).toMatch(/^v24\./);
    expect(version).toBe((await execute(built.command, ["version"], { env: pulumi.env })).stdout.trim());
  });

  test("reports on standard error, with a code, that the CLI cannot be used", async () => {
    const state = join(machine.folder, "file");
    await writeFile(state, "");
    const { status, stdout, output } = await k8sauth(machine.folder, ["version"], { ...env, XDG_STATE_HOME: state });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(output).toMatch(
      /^error: Creating the home of the Pulumi CLI failed in .*\(ENOTDIR\).*XDG_STATE_HOME.*\(SANDBOX_STORAGE\)\n$/,
    );
  });
});

function locks(): string[] {
  const folder = join(machine.home, ".local", "state", "k8sauth", ".pulumi", "locks");
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  return files.map(({ name }) => name).filter((name) => name.endsWith(".json"));
}

/** Resolves once a process has printed a text. */
function said(process: ReturnType<typeof startK8sauth>, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (process.output.includes(text)) resolve();
    };
    process.child.stdout?.on("data", look);
    process.child.once("close", () => reject(new Error(`ended without "${text}":\n${process.output}`)));
    look();
  });
}
