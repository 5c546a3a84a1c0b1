import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileBackend } from "../../sandbox/pulumi/home.ts";
import type { Pulumi } from "../../sandbox/pulumi/index.ts";
import type { Bench } from "./bench.ts";
import { type Run, run } from "./measure.ts";

export type Settings = Readonly<Record<string, string | boolean | readonly string[]>>;

/** A stack whose operations are timed. */
export class BenchStack {
  readonly #pulumi: Pulumi;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(pulumi: Pulumi, folder: string) {
    this.#pulumi = pulumi;
    this.#folder = folder;
    this.#env = {
      ...pulumi.env,
      PULUMI_BACKEND_URL: fileBackend(join(folder, "state")),
      PULUMI_CONFIG_PASSPHRASE: "bench",
      // The Kubernetes plugin leaves kubeconfigs there.
      TMPDIR: join(folder, "tmp"),
    };
  }

  /** @param project text of Pulumi.yaml; its project is called k8sauth */
  static async make({ pulumi, folder: base }: Bench, project: string, settings: Settings): Promise<BenchStack> {
    const folder = await mkdtemp(join(base, "stack-"));
    await mkdir(join(folder, "state"));
    await mkdir(join(folder, "tmp"));
    await writeFile(join(folder, "Pulumi.yaml"), project);
    const config = Object.fromEntries(Object.entries(settings).map(([key, value]) => [`k8sauth:${key}`, value]));
    await writeFile(join(folder, "Pulumi.bench.yaml"), JSON.stringify({ config }));
    const stack = new BenchStack(pulumi, folder);
    await stack.#run(["stack", "init", "bench", "--no-select"]);
    return stack;
  }

  /** Runs `up`, `destroy` or `preview`. */
  operate(operation: "up" | "destroy" | "preview", flags: readonly string[] = [], memory = false): Promise<Run> {
    const own = operation === "preview" ? [] : ["--yes", "--skip-preview"];
    return this.#run([operation, "--stack", "bench", ...own, ...flags], memory);
  }

  #run(args: readonly string[], memory = false): Promise<Run> {
    const flags = ["--cwd", this.#folder, "--non-interactive"];
    return run(this.#pulumi.command, [...args, ...flags], { env: this.#env, memory });
  }
}
