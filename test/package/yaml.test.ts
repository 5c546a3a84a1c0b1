/** A program in YAML, which has the components and functions from the plugin alone. A real `up` creates its objects in a real cluster. */
import { X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parse, stringify } from "yaml";
import type { VaultKubernetesAuthConfig } from "../../gateways/index.ts";
import { reviewSelf } from "../support/reviewing.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { hostBuildMs, YamlProject } from "./yamlProject.ts";

interface Program {
  readonly plugins: object;
  readonly resources: Record<string, { properties: Record<string, unknown> }>;
}

let project: YamlProject;

/** Writes the program, with changes. */
async function write(change: (program: Program) => void = () => {}): Promise<void> {
  const text = await readFile(join(import.meta.dirname, "program.yaml"), "utf8");
  const path = join(inject("built").folder, "plugin");
  const program: Program = { ...parse(text), plugins: { providers: [{ name: "k8sauth", path }] } };
  change(program);
  await writeFile(join(project.folder, "Pulumi.yaml"), stringify(program));
}

/** Sets the kubeconfig of the deployer and of Pulumi's Kubernetes plugin. */
async function useKubeconfig(kubeconfig: string): Promise<void> {
  await project.pulumi("config", "set", "kubeconfigPath", kubeconfig);
  await project.pulumi("config", "set", "kubernetes:kubeconfig", kubeconfig);
}

beforeAll(async () => {
  project = await YamlProject.make("yaml");
  await write();
  await project.pulumi("stack", "init", "dev");
  await useKubeconfig(workerKubeconfig());
}, hostBuildMs);
afterAll(() => project?.[Symbol.asyncDispose]());

describe("a program in YAML", () => {
  test("previews, with nothing in the cluster yet", async () => {
    const { status, output } = await project.pulumi("preview", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  });

  test("shows the missing right of a component's child, and no error of the component", async () => {
    const kubeconfig = parse(await readFile(workerKubeconfig(), "utf8"));
    kubeconfig.users[0].user.as = "unprivileged";
    const path = join(project.folder, "unprivileged.json");
    await writeFile(path, JSON.stringify(kubeconfig), { mode: 0o600 });
    await useKubeconfig(path);
    const { status, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
    await useKubeconfig(workerKubeconfig());
    expect(status).toBeGreaterThan(0);
    expect(output).toMatch(/error: .*is forbidden: User \\?"unprivileged\\?" cannot (create|patch) resource/);
    expect(output).not.toMatch(/^\s+at |rpc error|INTERNAL/m);
    const [, diagnostics = ""] = output.split("Diagnostics:");
    expect(diagnostics).not.toMatch(/^ {2}k8sauth:index:(TokenReviewer|ClientCertificate)/m);
  });

  test("creates a reviewer whose auth config reviews tokens, and a certificate", async () => {
    const { status, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
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
    const { status, output } = await project.pulumi("preview", "--expect-no-changes", "--stack", "dev");
    expect(output).not.toMatch(/warning|error/i);
    expect(status).toBe(0);
  });

  test("gets a component's errors as a program in TypeScript does", async () => {
    await write(({ resources }) => {
      if (resources.reviewer) resources.reviewer.properties.createNamespace = false;
    });
    const { status, output } = await project.pulumi("preview", "--stack", "dev");
    await write();
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("namespace: set the name of an existing namespace, or set createNamespace to true.");
    expect(output).not.toMatch(/^\s+at |rpc error|INTERNAL/m);
  });

  test("learns from its language host that a property does not exist", async () => {
    await write(({ resources }) => {
      if (resources.reviewer) resources.reviewer.properties.audiens = "vault";
    });
    const { status, output } = await project.pulumi("preview", "--stack", "dev");
    await write();
    expect(status).toBeGreaterThan(0);
    expect(output).toMatch(/Property audiens does not exist on .k8sauth:index:TokenReviewer./);
  });

  test("learns which argument has the wrong type", async () => {
    await write(({ resources }) => {
      if (resources.client) resources.client.properties.commonName = ["a", "b"];
    });
    const { status, output } = await project.pulumi("preview", "--stack", "dev");
    await write();
    expect(status).toBeGreaterThan(0);
    expect(output).toContain("commonName");
    expect(output).not.toMatch(/^\s+at |rpc error|INTERNAL/m);
  });

  test("deletes everything", async () => {
    const { status } = await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev");
    expect(status).toBe(0);
    expect(await project.outputs()).toEqual({});
  });
});
