/** Projects of users, each in its own folder with its own state. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileBackend } from "../../sandbox/pulumi/home.ts";
import type { Pulumi } from "../../sandbox/pulumi/index.ts";
import { PulumiProcess } from "../support/pulumi/pulumiProcess.ts";
import { deleteObjects } from "../support/pulumi/stackObjects.ts";

export interface Run {
  readonly status: number | null;
  readonly output: string;
}

export class Project implements AsyncDisposable {
  readonly folder: string;
  /** Of the project in Pulumi.yaml. */
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #pulumi: Pulumi;

  /** @param folder see {@link emptyFolder} */
  constructor(folder: string, name: string, pulumi: Pulumi, env: NodeJS.ProcessEnv = {}) {
    this.folder = folder;
    this.name = name;
    this.#pulumi = pulumi;
    this.env = {
      ...pulumi.env,
      PULUMI_BACKEND_URL: fileBackend(join(folder, "state")),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      TMPDIR: join(folder, "tmp"),
      ...env,
    };
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
    return join(this.folder, "state", ".pulumi", "stacks", this.name, "dev.json");
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

/** A folder for a project, with folders for state and temporary files. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-consumer-"));
  await mkdir(join(folder, "state"));
  await mkdir(join(folder, "tmp"));
  return folder;
}
