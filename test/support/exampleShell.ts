import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ensureBinary } from "../../sandbox/build.ts";
import { program, type TestStack } from "./stack.ts";

/** A shell for what the READMEs of examples/gateways say: `pulumi` is the embedded engine's command with a test's stack. */
export class ExampleShell implements AsyncDisposable {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  /** In a copy of the example's folder. */
  static async open(example: string, stack: TestStack, kubeconfig: string, env: NodeJS.ProcessEnv) {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-example-"));
    await cp(join(program, "examples", "gateways", example), folder, { recursive: true });
    const bin = join(folder, ".bin");
    await mkdir(bin);
    const node = `"${process.execPath}"`;
    const cli = `${node} "${join(program, "cli", "k8sauth.mjs")}"`;
    const chosen = `--stack "${stack.name}" --config-file "${stack.configFile}" --cwd "${program}"`;
    const tool = `${node} "${join(program, "test", "support", "productCli.ts")}"`;
    const scripts = {
      pulumi: `[ "$1" = stack ] && shift\nexec ${cli} "$@" ${chosen}`,
      kubectl: `exec "${await ensureBinary()}" kubectl "$@"`,
      vault: `exec ${tool} vault "$@"`,
      bao: `exec ${tool} bao "$@"`,
      consul: `exec ${tool} consul "$@"`,
    };
    for (const [name, script] of Object.entries(scripts)) {
      await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    const PATH = `${bin}${delimiter}${process.env.PATH}`;
    return new ExampleShell(folder, { ...stack.env, KUBECONFIG: kubeconfig, ...env, PATH });
  }

  /** Runs the README's commands in their order; what a workload gets by the last of them is on standard output. */
  async readme(): Promise<string> {
    const text = await readFile(join(this.folder, "README.md"), "utf8");
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = ""]) => commands);
    if (blocks.length === 0) throw new Error("the README has no commands");
    return this.run(blocks.join("\n"));
  }

  async run(commands: string): Promise<string> {
    const child = spawn("bash", ["-euo", "pipefail", "-c", commands], { cwd: this.folder, env: this.#env });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.stdin.end();
    const [status] = await once(child, "close");
    if (status !== 0) throw new Error(`status ${status}: ${err}`);
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
