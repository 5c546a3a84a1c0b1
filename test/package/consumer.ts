/** Projects of users of the npm package. */
import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { program } from "../support/project.ts";
import { workerKubeconfig } from "../support/sandbox.ts";
import { installDependencies } from "./build.ts";
import { emptyFolder, Project } from "./project.ts";

const exec = promisify(execFile);

export interface Kind {
  /** Fields of package.json. */
  readonly manifest: object;
  /** Text of tsconfig.json. */
  readonly tsconfig: object;
  readonly typescript: string;
  /** The `runtime` of Pulumi.yaml. */
  readonly runtime: object | string;
  /** @default those of this repository */
  readonly peers?: Peers;
}

/** Versions of the package's peers. */
export interface Peers {
  readonly "@pulumi/kubernetes": string;
  readonly "@pulumi/pulumi": string;
  readonly "@pulumi/tls": string;
}

/** Where a project finds the plugin, for Pulumi.yaml. */
export const pluginPath = { plugins: { providers: [{ name: "k8sauth", path: "node_modules/k8sauth/plugin" }] } };

/** A project with the tarball and its peers installed by npm, and a stack in it. */
export class Consumer extends Project {
  readonly #runtime: Kind["runtime"];
  /** Folder of the plugins of the CLI. */
  readonly plugins: string;

  private constructor(folder: string, pulumi: Pulumi, runtime: Kind["runtime"]) {
    super(folder, "consumer", pulumi);
    this.plugins = join(pulumi.env.PULUMI_HOME, "plugins");
    this.#runtime = runtime;
  }

  static async make({ manifest: own, tsconfig, typescript, runtime, peers }: Kind): Promise<Consumer> {
    const folder = await emptyFolder();
    const consumer = new Consumer(folder, await ensurePulumi(), runtime);
    await cp(join(import.meta.dirname, "program.ts.txt"), join(folder, "index.ts"));
    const { dependencies } = manifest;
    const json = (value: object) => JSON.stringify(value, undefined, 2);
    await writeFile(
      join(folder, "package.json"),
      json({
        name: "consumer",
        ...own,
        dependencies: {
          "@pulumi/kubernetes": dependencies["@pulumi/kubernetes"],
          "@pulumi/pulumi": dependencies["@pulumi/pulumi"],
          "@pulumi/tls": dependencies["@pulumi/tls"],
          ...peers,
          k8sauth: `file:${inject("built").tarball}`,
        },
        devDependencies: {
          "@pulumi/policy": manifest.devDependencies["@pulumi/policy"],
          "@types/node": manifest.devDependencies["@types/node"],
          typescript,
        },
      }),
    );
    const files = ["index.ts", ...(await writeExamples(folder))];
    await writeFile(join(folder, "tsconfig.json"), json({ ...tsconfig, files }));
    await consumer.configure(pluginPath);
    await installDependencies(folder, consumer.env);
    await consumer.pulumi("stack", "init", "dev");
    await consumer.pulumi("config", "set", "kubeconfigPath", workerKubeconfig());
    return consumer;
  }

  /** Writes Pulumi.yaml. */
  async configure(plugins: object): Promise<void> {
    const project = { name: "consumer", main: "index.ts", runtime: this.#runtime, ...plugins };
    await writeFile(join(this.folder, "Pulumi.yaml"), JSON.stringify(project));
  }

  /**
   * Compiles the program and the examples against the types of the package, those of dependencies included. Returns what the compiler says,
   * except of @pulumi/policy: its declarations import names that they do not have.
   */
  async compile(): Promise<string[]> {
    const script = join(this.folder, "node_modules", "typescript", "bin", "tsc");
    const options = { cwd: this.folder };
    const { stdout } = await exec(process.execPath, [script, "--noEmit"], options).catch((error) => error);
    const lines = (stdout as string).split("\n").filter((line) => line !== "");
    return lines.filter((line) => !line.startsWith("node_modules/@pulumi/policy/"));
  }

  /** Names of the values that a module of the package exports; the code of the error if it cannot be imported. */
  async exported(module: string): Promise<string[] | string> {
    const script = `try { console.log(JSON.stringify(Object.keys(require(process.argv[1])))) }
      catch ({ code }) { console.log(JSON.stringify(code)) }`;
    const options = { cwd: this.folder, env: this.env };
    const { stdout } = await exec(process.execPath, ["--input-type=commonjs", "-e", script, module], options);
    return JSON.parse(stdout);
  }
}

/** Writes the examples of docs/library.md, to be compiled. Returns the names of the files. */
async function writeExamples(folder: string): Promise<string[]> {
  const page = await readFile(join(program, "docs", "library.md"), "utf8");
  const examples = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  const names = examples.map((_text, at) => `example${at + 1}.ts`);
  for (const [at, name] of names.entries()) await writeFile(join(folder, name), examples[at] ?? "");
  return names;
}
