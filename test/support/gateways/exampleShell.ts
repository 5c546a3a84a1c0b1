import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { ensureBinary } from "../../../sandbox/build/kubernetes.ts";
import { program, type TestStack } from "../pulumi/stack.ts";
import { productCommand, runShell, writeCommands } from "../reader/shell.ts";

/** A shell for the commands of the documentation. Its `pulumi` is the real CLI, with a test's stack. */
export class ExampleShell implements AsyncDisposable {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  /** In a copy of the folder of an example of examples/gateways. */
  static async open(example: string, stack: TestStack, kubeconfig: string, env: NodeJS.ProcessEnv) {
    const shell = await ExampleShell.empty(stack, kubeconfig, env);
    await cp(join(program, "examples", "gateways", example), shell.folder, { recursive: true });
    return shell;
  }

  /** In an empty folder. */
  static async empty(stack: TestStack, kubeconfig: string, env: NodeJS.ProcessEnv = {}) {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-example-"));
    const bin = join(folder, ".bin");
    await writeCommands(bin, {
      pulumi: `exec "${stack.pulumi.command}" "$@" --stack "${stack.name}" --cwd "${stack.folder}" --non-interactive`,
      kubectl: `exec "${await ensureBinary()}" kubectl "$@"`,
      vault: productCommand("vault"),
      bao: productCommand("bao"),
      consul: productCommand("consul"),
    });
    const PATH = `${bin}${delimiter}${stack.env.PATH}`;
    // Instead of the "yes" that a user types.
    const confirmed = { PULUMI_SKIP_CONFIRMATIONS: "true" };
    return new ExampleShell(folder, { ...stack.env, ...confirmed, KUBECONFIG: kubeconfig, ...env, PATH });
  }

  /** Runs the README's commands in their order. Returns standard output, which has the result of a workload's login. */
  async readme(): Promise<string> {
    const text = await readFile(join(this.folder, "README.md"), "utf8");
    const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = ""]) => commands);
    if (blocks.length === 0) throw new Error("the README has no commands");
    return this.run(blocks.join("\n"));
  }

  run(commands: string): Promise<string> {
    return runShell(commands, { cwd: this.folder, env: this.#env });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
