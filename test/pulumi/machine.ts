import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheHome } from "../../sandbox/build/paths.ts";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";
import { PulumiProcess } from "../support/pulumi/pulumiProcess.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** The CLI that is built. Its plugins lie beside it or in its home. */
export const built: Pulumi = await ensurePulumi({ env: { ...process.env, K8SAUTH_PULUMI: "build" } });

/** Path of a program that is built with the CLI. */
export const beside = (name: string) => join(dirname(built.command), name);

/** Refuses every connection at once: what needs the network fails without waiting. */
const noNetwork = { https_proxy: "http://127.0.0.1:1", http_proxy: "http://127.0.0.1:1", no_proxy: "127.0.0.1" };

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams. */
  readonly output: string;
}

/** The account of a user who has never run Pulumi: an empty home folder, and a PATH with one more folder. */
export class Machine implements AsyncDisposable {
  readonly folder: string;
  /** First on the PATH. */
  readonly bin: string;
  readonly home: string;
  /** For temporary files. */
  readonly temporary: string;
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.folder = folder;
    this.bin = join(folder, "bin");
    this.home = join(folder, "it's home");
    this.temporary = join(folder, "tmp");
    const kept = Object.entries(process.env).filter(([name]) => !/^(PULUMI_|K8SAUTH_|XDG_)/.test(name));
    this.env = {
      ...Object.fromEntries(kept),
      HOME: this.home,
      // Builds and downloads exist already.
      XDG_CACHE_HOME: dirname(cacheHome(process.env)),
      GOPATH: process.env.GOPATH ?? join(process.env.HOME ?? "", "go"),
      PATH: [this.bin, process.env.PATH].join(delimiter),
      TMPDIR: this.temporary,
      ...noNetwork,
    };
  }

  static async make(): Promise<Machine> {
    const machine = new Machine(await mkdtemp(join(tmpdir(), "k8sauth-pulumi-")));
    await Promise.all([machine.bin, machine.home, machine.temporary].map((folder) => mkdir(folder)));
    return machine;
  }

  /** Puts programs of the CLI on the PATH, as links. */
  async install(...names: readonly string[]): Promise<void> {
    for (const name of names) await symlink(beside(name), join(this.bin, name));
  }

  /** Puts a shell script on the PATH. */
  async script(name: string, text: string, interpreter = "/bin/sh"): Promise<string> {
    const path = join(this.bin, name);
    await writeFile(path, `#!${interpreter}\n${text}\n`);
    await chmod(path, 0o755);
    return path;
  }

  /** A folder with a Pulumi program in JavaScript and the packages of this checkout. */
  async project(program: string, { name = "small", nodeargs = [] as readonly string[] } = {}): Promise<string> {
    const folder = join(this.folder, name);
    await mkdir(folder);
    const runtime = JSON.stringify({ name: "nodejs", options: { typescript: false, nodeargs } });
    await writeFile(join(folder, "Pulumi.yaml"), `name: ${name}\nmain: index.js\nruntime: ${runtime}\n`);
    await writeFile(join(folder, "package.json"), JSON.stringify({ name, type: "module" }));
    await writeFile(join(folder, "index.js"), program);
    await symlink(join(checkout, "node_modules"), join(folder, "node_modules"));
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs a command of a CLI in a project's folder. */
export async function run(pulumi: Pulumi, folder: string, args: readonly string[], env = pulumi.env): Promise<Run> {
  const common = ["--non-interactive", "--color", "never", "--cwd", folder];
  return ended(new PulumiProcess(pulumi.command, [...args, ...common], env));
}

/** Runs `k8sauth pulumi`. */
export async function k8sauth(folder: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  return ended(startK8sauth(folder, args, env));
}

export function startK8sauth(folder: string, args: readonly string[], env: NodeJS.ProcessEnv): PulumiProcess {
  const script = join(checkout, "cli", "k8sauth.mjs");
  return new PulumiProcess(process.execPath, [script, "pulumi", ...args, "--cwd", folder], env);
}

async function ended(process: PulumiProcess): Promise<Run> {
  const status = await process.end();
  return { status, stdout: process.stdout, output: process.output };
}

/** A key from the tls plugin and an object from the Kubernetes plugin, which writes it to a file: no cluster is needed. */
export const twoPlugins = `
  import * as kubernetes from "@pulumi/kubernetes";
  import * as tls from "@pulumi/tls";
  const provider = new kubernetes.Provider("files", { renderYamlToDirectory: "rendered" });
  const { publicKeyPem } = new tls.PrivateKey("key", { algorithm: "ECDSA", ecdsaCurve: "P256" });
  new kubernetes.core.v1.ConfigMap("map", { data: { publicKeyPem } }, { provider });
`;
