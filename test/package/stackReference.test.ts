/** The example of a project that reads the outputs of a stack: its own packages from npm, and Vault's own auth method. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { VaultAuth } from "../../demo/gateways/vault/index.ts";
import { type KubeClient, pathFor } from "../../kubernetes/index.ts";
import { workloadToken } from "../../kubernetes/reviews.ts";
import { vaultServer } from "../support/gateways/productServers.ts";
import { adminOf } from "../support/inventory.ts";
import { program, TestStack } from "../support/pulumi/stack.ts";
import { commandsBelow, localCommands, withExamples } from "../support/reader/pageCommands.ts";
import { runShell } from "../support/reader/shell.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const example = join("examples", "stack-reference");
/** The namespace of the workload in the example. */
const shop = pathFor("v1", "Namespace", undefined, "shop");
let admin: KubeClient;
let stack: TestStack;
let folder: string;

beforeAll(async () => {
  admin = await adminOf(workerKubeconfig());
  stack = await TestStack.make(`cluster-${randomBytes(4).toString("hex")}`, {
    kubeconfig: workerKubeconfig(),
    allowLoopbackHost: true,
  });
  await stack.up();
  for (const [kind, namespace] of [["Namespace"], ["ServiceAccount", "shop"]] as const) {
    const metadata = { name: "shop", ...(namespace && { namespace }) };
    await admin.create(pathFor("v1", kind, namespace), { apiVersion: "v1", kind, metadata });
  }
  folder = await mkdtemp(join(tmpdir(), "k8sauth-reference-"));
  await cp(join(program, example), folder, { recursive: true });
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await promisify(execFile)("npm", ["install", ...flags], { cwd: folder, env: stack.env });
}, 900_000);

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await admin?.delete(shop, { ignoreNotFound: true });
  admin?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("compiles against the types of @pulumi/vault", async () => {
  const compiler = join(program, "node_modules", "typescript", "bin", "tsc");
  const strict = ["--strict", "--erasableSyntaxOnly", "--verbatimModuleSyntax"];
  const target = ["--noEmit", "--target", "es2024", "--module", "nodenext", "--skipLibCheck"];
  const run = promisify(execFile)(process.execPath, [compiler, ...target, ...strict, "index.ts"], { cwd: folder });
  const { stdout } = await run.catch((error) => error);
  expect(stdout).toBe("");
});

test("an up configures Vault, and a workload logs in; no state has the token in the clear", async () => {
  await using vault = await VaultAuth.start();
  await using server = await vaultServer(vault);
  // Stands in for the plugin that Pulumi downloads.
  const project = parse(await readFile(join(folder, "Pulumi.yaml"), "utf8"));
  const path = join(program, "test", "support", "gateways", "vaultPlugin");
  const plugins = { providers: [{ name: "vault", path }] };
  await writeFile(join(folder, "Pulumi.yaml"), stringify({ ...project, plugins }));

  const [commands = ""] = commandsBelow(join(example, "README.md"), "A project that reads this stack");
  const reference = { "organization/k8sauth/prod": `organization/k8sauth/${stack.name}` };
  const env = { ...stack.env, PULUMI_SKIP_CONFIRMATIONS: "true", VAULT_ADDR: server.url };
  await runShell(withExamples(localCommands(commands), reference), { cwd: folder, env });

  const { metadata } = await vault.login("shop", await workloadToken(admin, "shop", "shop", ""));
  expect(metadata).toMatchObject({ service_account_name: "shop", service_account_namespace: "shop" });
  const { authConfigs } = (await stack.outputs()) as unknown as {
    authConfigs: { token: { vault: { token_reviewer_jwt: string } } };
  };
  const state = await readFile(join(stack.folder, "state", ".pulumi", "stacks", "vault-auth", "prod.json"), "utf8");
  expect(state).toContain("vault:kubernetes/authBackendConfig:AuthBackendConfig");
  expect(state).not.toContain(authConfigs.token.vault.token_reviewer_jwt);
}, 900_000);
