/** This repository's own program, run by plain `pulumi`: a new stack previews without a cluster. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { program, projectFile } from "../support/project.ts";
import { Machine, run } from "./machine.ts";

let machine: Machine;
let pulumi: Pulumi;
let folder: string;
beforeAll(async () => {
  machine = await Machine.make();
  pulumi = await ensurePulumi({ env: { ...machine.env, K8SAUTH_PULUMI: "build" } });
  folder = join(machine.folder, "project");
  await mkdir(folder);
  await writeFile(join(folder, "Pulumi.yaml"), await projectFile());
  await writeFile(join(folder, "kubeconfig"), kubeconfig);
  expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
  const settings = {
    kubeconfig: join(folder, "kubeconfig"),
    context: "dev",
    kubernetesHost: "https://k8s.example.com",
  };
  for (const [key, value] of Object.entries(settings)) {
    expect(await run(pulumi, folder, ["config", "set", key, value])).toMatchObject({ status: 0 });
  }
});
afterAll(() => machine[Symbol.asyncDispose]());

/** Of a cluster that nothing can reach. */
const kubeconfig = JSON.stringify({
  clusters: [{ name: "dev", cluster: { server: "https://127.0.0.1:1" } }],
  users: [{ name: "dev", user: { token: "not-a-token" } }],
  contexts: [{ name: "dev", context: { cluster: "dev", user: "dev" } }],
});

describe("behind a proxy that refuses everything", () => {
  const dead = "http://127.0.0.1:1";

  test.each([
    ["http_proxy", { http_proxy: dead }],
    ["https_proxy", { https_proxy: dead }],
    ["grpc_proxy", { grpc_proxy: dead }],
    ["all of them", { http_proxy: dead, https_proxy: dead, grpc_proxy: dead }],
  ])(
    "in %s, the engine, the program, the plugin and the policy pack still speak to each other",
    async (_which, proxies) => {
      const env = { ...pulumi.env, http_proxy: "", https_proxy: "", ...proxies, no_proxy: "" };
      const args = ["preview", "--policy-pack", join(program, "policy")];
      const { status, output } = await run(pulumi, folder, args, env);
      expect(output).not.toMatch(/proxy|failed to deliver|UNAVAILABLE/i);
      // Messages of the plugin reach the user too.
      expect(output).toMatch(/warning:.*127\.0\.0\.1:1/);
      expect(output).toContain("k8sauth@");
      expect(output).toContain("11 to create");
      expect(status).toBe(0);
    },
  );
});

/** A Node.js on the PATH that is too old. */
const oldNode = (process.env.PATH ?? "")
  .split(delimiter)
  .map((entry) => join(entry, "node"))
  .find((path) => existsSync(path) && Number(execFileSync(path, ["-p", "process.versions.node.split('.')[0]"])) < 24);

describe.skipIf(oldNode === undefined)("with an old Node.js on the PATH", () => {
  /** Only the old one is found. */
  const old = async (): Promise<Pulumi["env"]> => {
    await machine.script("node", `exec '${oldNode}' "$@"`);
    return { ...pulumi.env, PATH: [machine.bin, "/usr/bin", "/bin"].join(delimiter) };
  };

  test("a preview says which one is needed, and nothing about file extensions", async () => {
    const { status, output } = await run(pulumi, folder, ["preview"], await old());
    expect(status).toBeGreaterThan(0);
    expect(output).toMatch(/k8sauth needs Node\.js >= 24\.5, and \S*node is v\d/);
    expect(output).not.toContain("Unknown file extension");
  });

  test("the policy pack says so as well", async () => {
    const empty = await machine.project("export const answer = 42;");
    expect(await run(pulumi, empty, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
    const args = ["preview", "--policy-pack", join(program, "policy")];
    const { status, output } = await run(pulumi, empty, args, await old());
    expect(status).toBeGreaterThan(0);
    expect(output).toMatch(/k8sauth needs Node\.js >= 24\.5 for its policy pack, and \S*node is v\d/);
  });

  test("npm installs the packages without a warning about Node.js", () => {
    const npm = ["ci", "--dry-run", "--ignore-scripts", "--no-audit", "--no-fund", "--offline"];
    const output = execFileSync("sh", ["-c", `npm ${npm.join(" ")} 2>&1`], {
      cwd: program,
      encoding: "utf8",
      env: { ...process.env, PATH: [join(oldNode ?? "", ".."), "/usr/bin", "/bin"].join(delimiter) },
    });
    expect(output).not.toContain("EBADENGINE");
  });
});
