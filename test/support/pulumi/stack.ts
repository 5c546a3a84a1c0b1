import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { fileBackend } from "../../../sandbox/pulumi/home.ts";
import { ensurePulumi, type Pulumi } from "../../../sandbox/pulumi/index.ts";
import { projectFile } from "../project.ts";
import { workerKubeconfig } from "../sandbox.ts";
import { type Changes, type EngineEvent, EventLog, type Violation } from "./engineEvents.ts";
import { PulumiProcess } from "./pulumiProcess.ts";
import { deleteObjects } from "./stackObjects.ts";

export { program } from "../project.ts";

/** A value in a stack's settings file. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value | undefined };

/** Outputs of a stack, in the clear. */
export type Outputs = Readonly<Record<string, Value>>;

/** Result of an operation. */
export interface Result {
  readonly changes: Changes;
  readonly violations: readonly Violation[];
}

export interface PolicyPack {
  readonly path: string;
  /** Path of a JSON file. */
  readonly config?: string;
}

/** An operation of the Pulumi CLI failed. The message contains its errors or its output. */
class OperationFailed extends Error {
  readonly status: number;

  constructor(operation: string, status: number, said: string) {
    super(`pulumi ${operation} ended with status ${status}:\n${said}`);
    this.name = "OperationFailed";
    this.status = status;
  }
}

/** @param kubeconfig a path or the content */
async function currentContext(kubeconfig: string): Promise<string | undefined> {
  const content = existsSync(kubeconfig) ? await readFile(kubeconfig, "utf8") : kubeconfig;
  return (parse(content) as { "current-context"?: string } | null)?.["current-context"];
}

/** Found once for each worker. */
let found: Promise<Pulumi> | undefined;

/**
 * A stack of this repository's program, run by the Pulumi CLI. Its project is a folder with a Pulumi.yaml that points to the program,
 * so that state and settings are the stack's own and nothing is written into the checkout.
 */
export class TestStack implements AsyncDisposable {
  readonly name: string;
  /** Holds Pulumi.yaml, the settings file and the state (`state/.pulumi`). */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly pulumi: Pulumi;
  /** Events of the last operation. */
  events: EngineEvent[] = [];
  /** Events of the earlier operations. */
  readonly history: EngineEvent[] = [];
  /** Policy packs of every `up` and `preview`. */
  policyPacks: readonly PolicyPack[] = [];
  /** Called for each event of a running operation. */
  onEvent: (event: EngineEvent) => void = () => {};
  readonly #config: Record<string, Value>;
  /** Commands that run. A test that exceeds its time limit leaves some. */
  readonly #running = new Set<PulumiProcess>();
  /** Current context of the setting `kubeconfig`, whose value can be encrypted. */
  #kubeconfigContext: string | undefined;
  #initialized = false;

  private constructor(
    name: string,
    folder: string,
    config: Record<string, Value>,
    env: NodeJS.ProcessEnv,
    pulumi: Pulumi,
  ) {
    this.name = name;
    this.folder = folder;
    this.#config = config;
    this.pulumi = pulumi;
    this.env = {
      ...pulumi.env,
      // Gives the CLI its flag --event-log.
      PULUMI_DEBUG_COMMANDS: "true",
      PULUMI_BACKEND_URL: fileBackend(join(folder, "state")),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      // The Kubernetes plugin leaves kubeconfigs there.
      TMPDIR: join(folder, "tmp"),
      ...env,
    };
  }

  /**
   * Creates the stack's files, and nothing in the cluster. Keys of `config` are the program's settings. The default of `context` is the current
   * context of `kubeconfig`, or else of the sandbox that the tests of this worker share.
   */
  static async make(name: string, config: Record<string, Value>, env: NodeJS.ProcessEnv = {}): Promise<TestStack> {
    found ??= ensurePulumi();
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-test-"));
    const stack = new TestStack(name, folder, config, env, await found);
    await mkdir(join(folder, "state"));
    await mkdir(join(folder, "tmp"));
    await writeFile(join(folder, "Pulumi.yaml"), await projectFile());
    await stack.configure({});
    return stack;
  }

  get configFile(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }

  get stateFile(): string {
    return join(this.folder, "state", ".pulumi", "stacks", "k8sauth", `${this.name}.json`);
  }

  /** Changes settings. A setting that is undefined is removed. The encryption salt stays. */
  async configure(changes: Record<string, Value | undefined>): Promise<void> {
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined) delete this.#config[key];
      else this.#config[key] = value;
    }
    const { kubeconfig } = this.#config;
    if (typeof kubeconfig === "string") this.#kubeconfigContext = await currentContext(kubeconfig);
    const context = this.#config.context ?? this.#kubeconfigContext ?? (await currentContext(workerKubeconfig())) ?? "";
    const before = await readFile(this.configFile, "utf8").catch(() => "");
    const salt = /^encryptionsalt: .*$/m.exec(before)?.[0] ?? "";
    const config = Object.fromEntries(
      Object.entries({ context, ...this.#config }).map(([key, value]) => [`k8sauth:${key}`, value]),
    );
    await writeFile(this.configFile, `${salt}\n${stringify({ config })}`);
  }

  /** Sets a setting as `pulumi config set --secret` does. */
  async configureSecret(key: string, plaintext: string): Promise<void> {
    await this.initialize();
    await this.command("config", "set", "--secret", `k8sauth:${key}`, "--", plaintext);
    if (key === "kubeconfig") this.#kubeconfigContext = await currentContext(plaintext);
    const { config } = parse(await readFile(this.configFile, "utf8")) as { config: Record<string, Value> };
    await this.configure({ [key]: config[`k8sauth:${key}`] });
  }

  up(signal?: AbortSignal, ...flags: readonly string[]): Promise<Result> {
    return this.#operate("up", ["--yes", "--skip-preview", ...this.#packs(), ...flags], signal);
  }

  preview({ refresh = false } = {}, ...flags: readonly string[]): Promise<Result> {
    return this.#operate("preview", [...(refresh ? ["--refresh"] : []), ...this.#packs(), ...flags]);
  }

  refresh(...flags: readonly string[]): Promise<Result> {
    return this.#operate("refresh", ["--yes", "--skip-preview", ...flags]);
  }

  destroy(signal?: AbortSignal, ...flags: readonly string[]): Promise<Result> {
    return this.#operate("destroy", ["--yes", "--skip-preview", ...flags], signal);
  }

  /** The outputs as last saved, in the clear. */
  async outputs(): Promise<Outputs> {
    return JSON.parse(await this.command("stack", "output", "--json", "--show-secrets")) as Outputs;
  }

  /** Messages of engine, program and plugins in the last operation, line by line. */
  get said(): string {
    const shown = this.events.filter((event) => event.kind === "diagnostic" && event.severity !== "debug");
    return shown.map((event) => ("message" in event ? event.message : "")).join("\n");
  }

  /** Findings of policies in the last operation. */
  get violations(): Violation[] {
    return this.events.flatMap((event) => (event.kind === "violation" ? [event.violation] : []));
  }

  /**
   * The completed operations, as `operation Type`, in order. `same`, `create-replacement` and updates of components are omitted: the last change
   * inputs only.
   */
  get steps(): string[] {
    return this.events.flatMap((event) =>
      event.kind === "step" &&
      event.state === "done" &&
      !["same", "create-replacement"].includes(event.operation) &&
      !(event.component && event.operation === "update")
        ? [`${event.operation} ${event.urn.split("::").at(-2)?.split(":").at(-1)}`]
        : [],
    );
  }

  /** Runs another command of the CLI on this stack and returns its standard output. @throws OperationFailed */
  async command(...args: readonly string[]): Promise<string> {
    const run = this.spawn(args);
    const status = await run.end();
    if (status !== 0) throw new OperationFailed(args.slice(0, 2).join(" "), status ?? 1, run.output);
    return run.stdout;
  }

  /** Starts a command of the CLI on this stack. */
  spawn(args: readonly string[], options: { readonly wrap?: readonly string[]; readonly signal?: AbortSignal } = {}) {
    const own = ["--stack", this.name, "--non-interactive", "--color", "never", "--cwd", this.folder];
    const at = args.includes("--") ? args.indexOf("--") : args.length;
    const all = [...args.slice(0, at), ...own, ...args.slice(at)];
    const run = new PulumiProcess(this.pulumi.command, all, this.env, options);
    this.#running.add(run);
    void run.end().finally(() => this.#running.delete(run));
    return run;
  }

  /** Creates the stack in its backend. The first operation does so too. */
  async initialize(): Promise<void> {
    if (this.#initialized) return;
    const run = new PulumiProcess(
      this.pulumi.command,
      ["stack", "init", this.name, "--no-select", "--non-interactive", "--cwd", this.folder],
      this.env,
    );
    const status = await run.end();
    if (status !== 0) throw new OperationFailed("stack init", status ?? 1, run.output);
    this.#initialized = true;
  }

  async #operate(operation: string, flags: readonly string[], signal?: AbortSignal): Promise<Result> {
    await this.initialize();
    this.history.push(...this.events);
    this.events = [];
    const file = join(this.folder, "events.log");
    await writeFile(file, "");
    const log = new EventLog(file, (event) => {
      this.events.push(event);
      this.onEvent(event);
    });
    const run = this.spawn([operation, "--event-log", file, ...flags], signal && { signal });
    const status = await run.end();
    await log.close();
    if (status !== 0) throw new OperationFailed(operation, status ?? 1, this.#errorText(run.output));
    return {
      changes: this.events.reduce<Changes>((sum, event) => (event.kind === "summary" ? event.changes : sum), {}),
      violations: this.violations,
    };
  }

  /** Errors of an operation, or the output of the CLI if the engine reported none. */
  #errorText(output: string): string {
    const errors = this.events.flatMap((event) => {
      if (event.kind === "violation" && event.violation.level === "mandatory") {
        return [`${event.violation.policy}: ${event.violation.message}`];
      }
      return event.kind === "diagnostic" && event.severity === "error" ? [event.message] : [];
    });
    return errors.length > 0 ? errors.join("\n") : output;
  }

  #packs(): string[] {
    return this.policyPacks.flatMap(({ path, config }) => [
      "--policy-pack",
      path,
      ...(config ? ["--policy-pack-config", config] : []),
    ]);
  }

  /** Deletes the objects of the stack and its files. Does not wait until namespaces are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.onEvent = () => {};
    for (const run of this.#running) run.kill();
    await deleteObjects(this);
    await rm(this.folder, { recursive: true, force: true });
  }
}
