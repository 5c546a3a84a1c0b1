/** The programs in YAML of README.md and docs/library.md, as they stand. */
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, inject, test } from "vitest";
import { parse } from "yaml";
import type { VaultKubernetesAuthConfig } from "../../gateways/index.ts";
import { program } from "../support/project.ts";
import { reviewSelf } from "../support/reviewing.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { hostBuildMs, YamlProject } from "./yamlProject.ts";

let project: YamlProject | undefined;
afterEach(() => project?.[Symbol.asyncDispose]());

interface Kubeconfig {
  readonly contexts: [{ name: string }];
  "current-context": string;
}

/** A kubeconfig with the context that the examples name. */
async function kubeconfigWithContext(name: string, folder: string): Promise<string> {
  const kubeconfig = parse(await readFile(workerKubeconfig(), "utf8")) as Kubeconfig;
  kubeconfig.contexts[0].name = name;
  kubeconfig["current-context"] = "";
  const path = join(folder, "kubeconfig.json");
  await writeFile(path, JSON.stringify(kubeconfig), { mode: 0o600 });
  return path;
}

/** Runs the program of a page in a new project. It reaches the test cluster by a loopback address, which a program has to allow. */
async function up(page: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(program, page), "utf8");
  const [, example = ""] = /^```yaml\n(name: \w+\nruntime: yaml\n.*?)^```$/ms.exec(text) ?? [];
  const cluster = 'type: "k8sauth:Cluster"';
  expect(example).toContain(cluster);
  project = await YamlProject.make("reviewer");
  project.env.KUBECONFIG = await kubeconfigWithContext("prod", project.folder);
  await symlink(join(inject("built").folder, "plugin"), join(project.folder, "plugin"));
  const allowed = example.replace(cluster, `${cluster}, properties: { allowLoopback: true }`);
  await writeFile(join(project.folder, "Pulumi.yaml"), allowed);
  await project.pulumi("stack", "init", "dev");
  const { status, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
  expect(output).not.toMatch(/warning|error/i);
  expect(status).toBe(0);
  return project.outputs();
}

test("README.md", { timeout: hostBuildMs }, async () => {
  const { token } = await up("README.md");
  expect(token).toMatch(/^eyJ/);
});

test("docs/library.md", { timeout: hostBuildMs }, async () => {
  const { vault } = await up("docs/library.md");
  const {
    kubernetes_host: host,
    kubernetes_ca_cert: caPem = "",
    token_reviewer_jwt: token,
  } = vault as VaultKubernetesAuthConfig;
  expect(await reviewSelf({ host, caPem, token })).toMatchObject({ authenticated: true });
});
