/** The SDKs that `pulumi package add` generates from the plugin, and programs that use them. A real `up` creates their objects. */
import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parse, stringify } from "yaml";
import type { VaultKubernetesAuthConfig } from "../../gateways/index.ts";
import manifest from "../../package.json" with { type: "json" };
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";
import { reviewSelf } from "../support/reviewing.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { emptyFolder, Project } from "./project.ts";

const exec = promisify(execFile);
const plugin = join(inject("built").folder, "plugin");
const executable = join(plugin, "pulumi-resource-k8sauth");

interface Language {
  /** Pulumi's name of the runtime. */
  readonly runtime: string;
  /** The line that a program imports the SDK with. */
  readonly imports: string;
  /** A file of the SDK. */
  readonly file: string;
  /** Writes the program and its dependencies into an empty project. */
  write(folder: string): Promise<void>;
  /** Compiles the program, if its run does not. Returns what the compiler prints. */
  compile?(folder: string): Promise<string>;
}

const languages: Readonly<Record<string, Language>> = {
  Go: {
    runtime: "go",
    imports: 'import "example.com/pulumi-k8sauth/sdk/go/k8sauth"',
    file: "k8sauth/tokenReviewer.go",
    async write(folder) {
      const source = join(import.meta.dirname, "go");
      for (const name of ["go.mod", "go.sum"]) await cp(join(source, name), join(folder, name));
      await cp(join(source, "main.go.txt"), join(folder, "main.go"));
    },
  },
  TypeScript: {
    runtime: "nodejs",
    imports: 'import * as k8sauth from "@pulumi/k8sauth";',
    file: "tokenReviewer.ts",
    async write(folder) {
      const { dependencies, devDependencies } = manifest;
      const own = {
        name: "sdk",
        dependencies: { "@pulumi/pulumi": dependencies["@pulumi/pulumi"] },
        devDependencies: { "@types/node": devDependencies["@types/node"], typescript: "5.9.3" },
      };
      const compilerOptions = { strict: true, target: "es2022", module: "nodenext", types: ["node"], noEmit: true };
      await writeFile(join(folder, "package.json"), JSON.stringify(own));
      await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["index.ts"] }));
      await cp(join(import.meta.dirname, "typescript", "index.ts.txt"), join(folder, "index.ts"));
    },
    async compile(folder) {
      const script = join(folder, "node_modules", "typescript", "bin", "tsc");
      const { stdout } = await exec(process.execPath, [script], { cwd: folder }).catch((error) => error);
      return stdout;
    },
  },
};

/**
 * Warnings of the run: the token that expires is the program's choice, and Pulumi's SDK for Node.js warns about each remote component whose
 * `providers` contain the provider of its package.
 */
const expected = ["Only pulumi up renews it", "There is a conflict between the 'provider' field (k8sauth)"];

/** A line of the description of TokenReviewer, in each SDK. */
const described = "A ServiceAccount that may create TokenReviews";

describe.each(Object.entries(languages))("%s", (_name, language) => {
  let project: Project;
  beforeAll(async () => {
    project = new Project(await emptyFolder(), "sdk", await ensurePulumi());
    const named = { plugins: { providers: [{ name: "k8sauth", path: plugin }] } };
    const file = stringify({ name: "sdk", runtime: language.runtime, ...named });
    await writeFile(join(project.folder, "Pulumi.yaml"), file);
    await language.write(project.folder);
  });
  afterAll(() => project?.[Symbol.asyncDispose]());

  test("gen-sdk writes an SDK", async () => {
    const args = ["package", "gen-sdk", executable, "--language", language.runtime, "--out", "generated"];
    const { status, output } = await project.pulumi(...args);
    expect(output).not.toMatch(/^\s*(warning|error):/m);
    expect(status).toBe(0);
    const file = join(project.folder, "generated", language.runtime, language.file);
    expect(await readFile(file, "utf8")).toContain(described);
  });

  test("package add makes an SDK in the project a dependency of the program", { timeout: 900_000 }, async () => {
    const { status, output } = await project.pulumi("package", "add", executable);
    expect(output).not.toMatch(/^\s*(warning|error):/m);
    expect(status).toBe(0);
    expect(output).toContain(language.imports);
    const sdk = await readFile(join(project.folder, "sdks", "k8sauth", language.file), "utf8");
    expect(sdk).toContain(described);
    const { packages } = parse(await readFile(join(project.folder, "Pulumi.yaml"), "utf8"));
    expect(packages).toEqual({ k8sauth: `k8sauth@${manifest.version}` });
    expect((await language.compile?.(project.folder)) ?? "").toBe("");
  });

  test("up creates a reviewer whose auth config reviews tokens", { timeout: 900_000 }, async () => {
    await project.pulumi("stack", "init", "dev");
    await project.pulumi("config", "set", "kubeconfigPath", workerKubeconfig());
    await project.pulumi("config", "set", "kubernetes:kubeconfig", workerKubeconfig());
    const { status, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
    const said = output.match(/^\s*(warning|error):.*$/gm) ?? [];
    expect(said.filter((line) => !expected.some((text) => line.includes(text)))).toEqual([]);
    expect(status).toBe(0);
    const { vault } = (await project.outputs()) as { vault: VaultKubernetesAuthConfig };
    const { kubernetes_host: host, kubernetes_ca_cert: caPem = "", token_reviewer_jwt: token } = vault;
    expect(await reviewSelf({ host, caPem, token })).toMatchObject({ authenticated: true });
    expect(await project.state()).not.toContain(token);
  });
});
