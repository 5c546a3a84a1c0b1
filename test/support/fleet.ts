/** The fleet example as tests run it: its own list, settings, states and reports, in a temporary folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { type Properties, stackOutputs, type Value, withoutSecrets } from "../../engine/index.ts";
import type { FleetReport } from "../../examples/fleet/report.ts";
import { identify, signalProcess, waitForEnd } from "../../sandbox/process.ts";
import { processesOf } from "./engineProcess.ts";
import { program } from "./stack.ts";

/** A cluster as the list has it. */
export interface ListedCluster {
  readonly name: string;
  /** Path of a kubeconfig. */
  readonly kubeconfig: string;
  readonly timeoutSeconds?: number;
  readonly settings?: object;
}

export class TestFleet implements AsyncDisposable {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;

  readonly #rest: object;

  private constructor(folder: string, rest: object) {
    this.folder = folder;
    this.#rest = rest;
    this.env = {
      ...process.env,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
    };
  }

  static async make(clusters: readonly ListedCluster[], defaults: object, more: object = {}): Promise<TestFleet> {
    const rest = { settingsFolder: "settings", stackPrefix: "fleet-", timeoutSeconds: 120, defaults, ...more };
    const fleet = new TestFleet(await mkdtemp(join(tmpdir(), "k8sauth-fleet-")), rest);
    await mkdir(join(fleet.folder, "settings"));
    await fleet.rewrite(clusters);
    return fleet;
  }

  /** Puts other clusters in the list. */
  async rewrite(clusters: readonly ListedCluster[]): Promise<void> {
    await writeFile(join(this.folder, "fleet.yaml"), stringify({ ...this.#rest, clusters }));
  }

  /** A file of this fleet's own, such as a kubeconfig. */
  async file(name: string, content: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  }

  start(operation: string, ...more: string[]): FleetProcess {
    const files = ["--report", join(this.folder, "report.json"), "--page", join(this.folder, "page.html")];
    const args = [operation, "--engine", "embedded", "--list", join(this.folder, "fleet.yaml"), ...files, ...more];
    return new FleetProcess(args, this.env);
  }

  /** The Pulumi CLI takes a state folder that exists. */
  async makeStateFolder(): Promise<void> {
    await mkdir(join(this.folder, "state"));
  }

  /** Runs the command to its end. */
  async run(
    operation: string,
    ...more: string[]
  ): Promise<{ status: number | null; output: string; report: FleetReport }> {
    const run = this.start(operation, ...more);
    const status = await run.end();
    return { status, output: run.output, report: await this.report() };
  }

  async report(): Promise<FleetReport> {
    return JSON.parse(await readFile(join(this.folder, "report.json"), "utf8")) as FleetReport;
  }

  /** The outputs of a cluster's stack, secrets laid open. */
  async outputs(cluster: string): Promise<Properties> {
    const stack = `fleet-${cluster}`;
    const configFile = join(this.folder, "settings", `Pulumi.${stack}.yaml`);
    const outputs = await stackOutputs({ folder: program, stack, configFile, env: this.env, emit: () => {} });
    return withoutSecrets(outputs as Value) as Properties;
  }

  /** Waits until so many stacks have a text in their saved state. */
  async until(text: string, stacks = 1): Promise<void> {
    for (;;) {
      const folder = join(this.folder, "state", ".pulumi", "stacks", "k8sauth");
      const names = await readdir(folder).catch(() => [] as string[]);
      const files = names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
      const states = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
      if (states.filter((state) => state.includes(text)).length >= stacks) return;
      await sleep(10);
    }
  }

  /** Kills everything that runs for this fleet, in one go, and waits until it has ended. */
  async killAll(): Promise<void> {
    const all = processesOf(this).map(({ pid }) => identify(pid));
    for (const id of all) signalProcess(id, "SIGKILL");
    if (!(await waitForEnd(all, 10_000))) throw new Error("a killed process did not end within 10 s");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The fleet's command as a process of its own, with everything that it prints. */
export class FleetProcess {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<unknown>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    const main = join(program, "examples", "fleet", "main.ts");
    // The leader of a process group, as a terminal's foreground job is.
    this.child = spawn(process.execPath, [main, ...args], {
      env,
      cwd: program,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    }
    this.#ended = once(this.child, "exit");
  }

  /** The exit status; null after a signal. */
  async end(): Promise<number | null> {
    await this.#ended;
    return this.child.exitCode;
  }
}
