import { existsSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { Machine, run } from "./machine.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

let machine: Machine;
let pulumi: Pulumi;
beforeAll(async () => {
  machine = await Machine.make();
  pulumi = await ensurePulumi({ env: { ...machine.env, K8SAUTH_PULUMI: "build" } });
});
afterAll(() => machine[Symbol.asyncDispose]());

/** A project with a stack. */
async function project(name: string, program: string, options: { readonly nodeargs?: readonly string[] } = {}) {
  const folder = await machine.project(program, { name, ...options });
  expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
  return folder;
}

const oneOutput = "export const answer = 42;";

describe("the language host that is built with the CLI", () => {
  test("passes configuration, secrets and Node.js arguments to a program, and what it prints to the user", async () => {
    const program = `
      import { Config, getOrganization, getProject, getStack, runtime } from "@pulumi/pulumi";
      const config = new Config();
      console.log([getOrganization(), getProject(), getStack(), runtime.isDryRun(), process.execArgv.includes("--no-warnings")].join(" "));
      export const plain = config.require("plain");
      export const secret = config.requireSecret("secret");
    `;
    const folder = await project("settings", program, { nodeargs: ["--no-warnings"] });
    await run(pulumi, folder, ["config", "set", "plain", "one"]);
    await run(pulumi, folder, ["config", "set", "--secret", "secret", "two"]);
    const { status, output } = await run(pulumi, folder, ["up", "--yes"]);
    expect(output).toContain("organization settings dev true true");
    expect(output).toContain("organization settings dev false true");
    expect(output).toContain("[secret]");
    expect(status).toBe(0);
    const outputs = await run(pulumi, folder, ["stack", "output", "--json", "--show-secrets"]);
    expect(JSON.parse(outputs.stdout)).toEqual({ plain: "one", secret: "two" });
  });

  test("passes no configuration to a program whose stack has none", async () => {
    const program = `
      import { runtime } from "@pulumi/pulumi";
      export const settings = JSON.stringify(runtime.allConfig());
    `;
    const folder = await project("unconfigured", program);
    const { status, output } = await run(pulumi, folder, ["up", "--yes", "--skip-preview"]);
    expect(output).toMatch(/settings: \(json\) \{\}/);
    expect(status).toBe(0);
  });

  test("reports a program's error once, with its place", async () => {
    const folder = await project("throws", 'throw new Error("the sky is falling");');
    const { status, output } = await run(pulumi, folder, ["preview"]);
    expect(status).toBeGreaterThan(0);
    expect(output.match(/the sky is falling/g)).toHaveLength(1);
    expect(output).toMatch(/throws\/\S*index\.js:1/);
  });

  test("reports a program that ends by itself with a status", async () => {
    const folder = await project("exits", "process.exit(3);");
    const { status, output } = await run(pulumi, folder, ["preview"]);
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("the program ended with exit status 3");
  });

  test("names Node.js as missing if `node` is not on the PATH", async () => {
    const folder = await project("nodeless", oneOutput);
    const { status, output } = await run(pulumi, folder, ["preview"], { ...pulumi.env, PATH: machine.bin });
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("`node` is not on the PATH. Install Node.js >= 24.5");
  });

  test("names the SDK as missing if a program's packages are not installed", async () => {
    const folder = join(machine.folder, "bare");
    await mkdir(folder);
    await writeFile(join(folder, "Pulumi.yaml"), "name: bare\nmain: index.js\nruntime: nodejs\n");
    await writeFile(join(folder, "index.js"), oneOutput);
    expect(await run(pulumi, folder, ["stack", "init", "dev"])).toMatchObject({ status: 0 });
    const { status, output } = await run(pulumi, folder, ["preview"]);
    expect(status).toBeGreaterThan(0);
    expect(output).toContain(`@pulumi/pulumi/cmd/run is not installed for the program in ${folder}. Run \`npm ci\``);
  });

  test("reports to `pulumi about` which Node.js runs programs, and which packages a program has", async () => {
    const folder = await project("about", oneOutput);
    const manifest = { name: "about", type: "module", dependencies: { "@pulumi/pulumi": "*" } };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    const { status, stdout } = await run(pulumi, folder, ["about", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      runtime: { language: "nodejs", version: "v24.21.0" },
      dependencies: [{ name: "@pulumi/pulumi", version: "3.270.0" }],
    });
  });

  test("installs a program's packages for `pulumi install`", async () => {
    const folder = join(machine.folder, "install");
    await mkdir(join(folder, "local"), { recursive: true });
    await writeFile(join(folder, "Pulumi.yaml"), "name: install\nruntime: nodejs\n");
    await writeFile(join(folder, "local", "package.json"), JSON.stringify({ name: "local", version: "1.0.0" }));
    const manifest = { name: "install", dependencies: { local: "file:local" } };
    await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
    const { status, output } = await run(pulumi, folder, ["install"], { ...pulumi.env, npm_config_audit: "false" });
    expect(output).not.toContain("error");
    expect(status).toBe(0);
    expect(existsSync(join(folder, "node_modules", "local", "package.json"))).toBe(true);
  });

  test.each([
    ["executable", join(checkout, "provider", "pulumi-resource-k8sauth")],
    ["folder", join(checkout, "provider")],
  ])(
    "gives `pulumi package get-schema` the schema of this repository's own plugin, by its %s",
    async (_what, plugin) => {
      const { status, stdout } = await run(pulumi, machine.folder, ["package", "get-schema", plugin]);
      expect(status).toBe(0);
      const schema = JSON.parse(stdout) as { name: string; resources: object };
      expect(schema.name).toBe("k8sauth");
      expect(Object.keys(schema.resources)).toContain("k8sauth:index:ReviewerToken");
    },
  );

  test("runs a policy pack, whose violation fails a preview", async () => {
    const folder = await project(
      "guarded",
      'import * as tls from "@pulumi/tls"; new tls.PrivateKey("key", { algorithm: "RSA" });',
    );
    const pack = join(machine.folder, "pack");
    await mkdir(pack);
    await writeFile(join(pack, "PulumiPolicy.yaml"), "runtime: nodejs\nmain: index.js\n");
    await writeFile(join(pack, "package.json"), JSON.stringify({ name: "pack", version: "1.0.0", type: "module" }));
    await symlink(join(checkout, "node_modules"), join(pack, "node_modules"));
    await writeFile(
      join(pack, "index.js"),
      `import { PolicyPack } from "@pulumi/policy";
       new PolicyPack("keys", { policies: [{
         name: "no-rsa", description: "No RSA keys.", enforcementLevel: "mandatory",
         validateResource: ({ props }, report) => props.algorithm === "RSA" && report("RSA is refused here"),
       }] });`,
    );
    const { status, output } = await run(pulumi, folder, ["preview", "--policy-pack", pack]);
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("keys@v1.0.0");
    expect(output).toMatch(/no-rsa\s+\(tls:index:PrivateKey: key\)/);
    expect(output).toContain("RSA is refused here");
    expect(await run(pulumi, folder, ["preview"])).toMatchObject({ status: 0 });
  });
});
