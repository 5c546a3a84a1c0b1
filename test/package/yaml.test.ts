/** A program in YAML, which has the components and functions from the plugin alone. A real `up` creates its objects in a real cluster. */
import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parse, stringify } from "yaml";
import type { VaultKubernetesAuthConfig } from "../../gateways/index.ts";
import { ensureProgram, type GoProgram } from "../../sandbox/build/build.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { reviewSelf } from "../support/reviewing.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { emptyFolder, Project, type Run } from "./project.ts";

/** Pulumi's own language host. The CLI that is built has none for YAML. */
const yamlHost: GoProgram = {
  name: "pulumi-language-yaml",
  title: "Pulumi's language host for YAML",
  source: join(import.meta.dirname, "yaml"),
  packages: ["github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"],
};

interface Program {
  readonly plugins: object;
  readonly resources: Record<string, { properties: Record<string, unknown> }>;
}

let project: Project;

/** Output of a command, without the warning that the language host is not beside the CLI. */
async function run(...args: readonly string[]): Promise<Run> {
  const { status, output } = await project.pulumi(...args);
  return { status, output: output.replaceAll(/^.*(pulumi-language-yaml from \$PATH|\b1 warning).*$/gm, "") };
}

/** Writes the program, with changes. */
async function write(change: (program: Program) => void = () => {}): Promise<void> {
  const text = await readFile(join(import.meta.dirname, "program.yaml"), "utf8");
  const path = join(inject("built").folder, "plugin");
  const program: Program = { ...parse(text), plugins: { providers: [{ name: "k8sauth", path }] } };
  change(program);
  await writeFile(join(project.folder, "Pulumi.yaml"), stringify(program));
}

beforeAll(async () => {
  const [pulumi, host] = await Promise.all([ensurePulumi(), ensureProgram(yamlHost)]);
  const PATH = [pulumi.env.PATH, dirname(host)].join(delimiter);
  project = new Project(await emptyFolder(), "yaml", pulumi, { PATH });
  await write();
  await project.pulumi("stack", "init", "dev");
  await project.pulumi("config", "set", "kubeconfigPath", workerKubeconfig());
  await project.pulumi("config", "set", "kubernetes:kubeconfig", workerKubeconfig());
}, 1_800_000);
afterAll(() => project?.[Symbol.asyncDispose]());

describe("a program in YAML", () => {
  test("previews, with nothing in the cluster yet", async () => {
    const { status, output } = await run("preview", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  });

  test("creates a reviewer whose auth config reviews tokens, and a certificate", async () => {
    const { status, output } = await run("up", "--yes", "--skip-preview", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
    const { vault, commonName, certificate } = (await project.outputs()) as {
      vault: VaultKubernetesAuthConfig;
      commonName: string;
      certificate: string;
    };
    const { kubernetes_host: host, kubernetes_ca_cert: caPem = "", token_reviewer_jwt: token } = vault;
    expect(await reviewSelf({ host, caPem, token })).toMatchObject({ authenticated: true });
    expect(commonName).toBe("yaml-gateway");
    expect(new X509Certificate(certificate).subject).toContain("CN=yaml-gateway");
    expect(await project.state()).not.toContain(token);
  });

  test("changes nothing in the next run", async () => {
    const { status, output } = await run("preview", "--expect-no-changes", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  });

  test("gets a component's errors as a program in TypeScript does", async () => {
    await write(({ resources }) => {
      if (resources.reviewer) resources.reviewer.properties.createNamespace = false;
    });
    const { status, output } = await run("preview", "--stack", "dev");
    await write();
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("namespace: set the name of an existing namespace, or set createNamespace to true.");
    expect(output).not.toMatch(/^\s+at |rpc error|INTERNAL/m);
  });

  test("learns from its language host that a property does not exist", async () => {
    await write(({ resources }) => {
      if (resources.reviewer) resources.reviewer.properties.audiens = "vault";
    });
    const { status, output } = await run("preview", "--stack", "dev");
    await write();
    expect(status).toBeGreaterThan(0);
    expect(output).toMatch(/Property audiens does not exist on .k8sauth:index:TokenReviewer./);
  });

  test("deletes everything", async () => {
    const { status } = await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev");
    expect(status).toBe(0);
    expect(await project.outputs()).toEqual({});
  });
});
