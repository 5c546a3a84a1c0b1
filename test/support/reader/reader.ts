import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { stackFolder } from "../../../sandbox/pulumi/home.ts";
import { ensurePulumi } from "../../../sandbox/pulumi/index.ts";
import { program } from "../project.ts";
import { deleteObjects } from "../pulumi/stackObjects.ts";
import { productCommand, runShell, writeCommands } from "./shell.ts";

const exec = promisify(execFile);

/** A user who follows README.md, with a home, a clone, a kubeconfig, and commands on the PATH. */
export class Reader implements AsyncDisposable {
  readonly #home: string;
  /** The environment, without `pulumi` on the PATH. */
  readonly env: NodeJS.ProcessEnv;

  private constructor(home: string) {
    this.#home = home;
    const kept = Object.entries(process.env).filter(([name]) => !/^(PULUMI_|K8SAUTH_|npm_)/.test(name));
    this.env = {
      ...Object.fromEntries(kept),
      XDG_STATE_HOME: join(home, "state"),
      // The Kubernetes plugin leaves kubeconfigs there.
      TMPDIR: join(home, "tmp"),
      KUBECONFIG: join(home, "kubeconfig"),
      PATH: [join(home, "bin"), process.env.PATH].join(delimiter),
      // Instead of the "yes" that a user types.
      PULUMI_SKIP_CONFIRMATIONS: "true",
    };
  }

  /**
   * @param kubeconfig of the cluster
   * @param context name of the reader's context for it
   */
  static async make(kubeconfig: string, context: string): Promise<Reader> {
    const reader = new Reader(await mkdtemp(join(tmpdir(), "k8sauth-readme-")));
    await mkdir(join(reader.#home, "tmp"));
    await writeCommands(join(reader.#home, "bin"), { vault: productCommand("vault") });
    const config = parse(await readFile(kubeconfig, "utf8"));
    const [{ context: target }] = config.contexts;
    const own = { ...config, "current-context": context, contexts: [{ name: context, context: target }] };
    await writeFile(join(reader.#home, "kubeconfig"), stringify(own), { mode: 0o600 });
    await reader.#commit();
    return reader;
  }

  /** The repository that the reader clones. It has the files of this checkout. */
  get repository(): string {
    return join(this.#home, "repository");
  }

  /** The folder of the clone. */
  get clone(): string {
    return join(this.#home, "k8sauth");
  }

  /** Runs commands in the clone, or with `beside` in the folder that contains it. */
  run(commands: string, { beside = false, env = {} }: { beside?: boolean; env?: NodeJS.ProcessEnv } = {}) {
    return runShell(commands, { cwd: beside ? this.#home : this.clone, env: { ...this.env, ...env } });
  }

  /** The environment with `pulumi` on the PATH. */
  async withPulumi(): Promise<NodeJS.ProcessEnv> {
    return (await ensurePulumi({ env: this.env })).env;
  }

  /** Links the packages, in place of `npm ci`. The folder is not a link itself, so no command of npm deletes this checkout's packages. */
  async linkPackages(): Promise<void> {
    const [from, to] = [join(program, "node_modules"), join(this.clone, "node_modules")];
    await mkdir(to);
    for (const name of await readdir(from)) await symlink(join(from, name), join(to, name));
  }

  async #commit(): Promise<void> {
    const list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    const { stdout } = await exec("git", list, { cwd: program, maxBuffer: 10_000_000 });
    for (const path of new Set(stdout.split("\0"))) {
      if (path !== "") await copyIfPresent(join(program, path), join(this.repository, path));
    }
    const git = (...args: readonly string[]) =>
      exec("git", ["-C", this.repository, ...args], { maxBuffer: 10_000_000 });
    await git("init", "--quiet");
    await git("add", "--all");
    const author = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
    await git(...author, "commit", "--quiet", "--message", "test: copy");
  }

  /** Deletes the objects of the stack `prod`, and all files. */
  async [Symbol.asyncDispose](): Promise<void> {
    const stacks = join(stackFolder(this.env), ".pulumi", "stacks", "k8sauth");
    await deleteObjects({ stateFile: join(stacks, "prod.json"), env: this.env });
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Copies a file. Git also lists files that are deleted. */
async function copyIfPresent(from: string, to: string): Promise<void> {
  await cp(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
