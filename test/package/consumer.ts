/** Projects of users of the npm package. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { inject } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { fileBackend } from "../../sandbox/pulumi/home.ts";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { program } from "../support/project.ts";
import { PulumiProcess } from "../support/pulumi/pulumiProcess.ts";
import { deleteObjects } from "../support/pulumi/stackObjects.ts";
import { workerKubeconfig } from "../support/sandbox.ts";

const exec = promisify(execFile);

export interface Kind {
  /** Fields of package.json. */
  readonly manifest: object;
  /** Text of tsconfig.json. */
  readonly tsconfig: object;
  readonly typescript: string;
  /** The `runtime` of Pulumi.yaml. */
  readonly runtime: object | string;
}

/** Where a project finds the plugin, for Pulumi.yaml. */
export const pluginPath = { plugins: { providers: [{ name: "k8sauth", path: "node_modules/k8sauth/plugin" }] } };

export interface Run {
  readonly status: number | null;
  readonly output: string;
}

/** A project in a folder of its own, with the tarball and its peers installed by npm, and a stack in it. */
export class Consumer implements AsyncDisposable {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #pulumi: Pulumi;
  readonly #runtime: Kind["runtime"];

  private constructor(folder: string, pulumi: Pulumi, runtime: Kind["runtime"]) {
    this.folder = folder;
    this.#pulumi = pulumi;
    this.#runtime = runtime;
    this.env = {
      ...pulumi.env,
      PULUMI_BACKEND_URL: fileBackend(join(folder, "state")),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      TMPDIR: join(folder, "tmp"),
    };
  }

  static async make({ manifest: own, tsconfig, typescript, runtime }: Kind): Promise<Consumer> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-consumer-"));
    const consumer = new Consumer(folder, await ensurePulumi(), runtime);
    await mkdir(join(folder, "state"));
    await mkdir(join(folder, "tmp"));
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
    const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    await exec("npm", ["install", ...flags], { cwd: folder, env: consumer.env });
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

  async pulumi(...args: readonly string[]): Promise<Run> {
    const flags = ["--non-interactive", "--color", "never", "--cwd", this.folder];
    const run = new PulumiProcess(this.#pulumi.command, [...args, ...flags], this.env);
    return { status: await run.end(), output: run.output };
  }

  async outputs(): Promise<Record<string, unknown>> {
    const { output } = await this.pulumi("stack", "output", "--json", "--show-secrets", "--stack", "dev");
    return JSON.parse(output);
  }

  get stateFile(): string {
    return join(this.folder, "state", ".pulumi", "stacks", "consumer", "dev.json");
  }

  /** The state's text. */
  state(): Promise<string> {
    return readFile(this.stateFile, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteObjects(this);
    await rm(this.folder, { recursive: true, force: true });
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
