import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import {
  destroy,
  type EngineEvent,
  openStack,
  type PolicyPackOptions,
  type PolicyViolation,
  type Properties,
  refresh,
  type StackOptions,
  stackOutputs,
  update,
  type Value,
  withoutSecrets,
} from "../../engine/index.ts";

/** The folder of this repository's own program. */
export const program = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A stack of this repository's program with a state folder and settings of its own, run by the embedded engine. */
export class TestStack implements AsyncDisposable {
  readonly name: string;
  /** Holds the state (`state/.pulumi`) and the settings file. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Everything that the engine said since the last operation began. */
  events: EngineEvent[] = [];
  /** What it said in the operations before. */
  readonly history: EngineEvent[] = [];
  /** What `up` and `preview` have to pass. */
  policyPacks: readonly PolicyPackOptions[] = [];
  /** Sees every event as it comes. */
  onEvent: (event: EngineEvent) => void = () => {};
  readonly #config: Record<string, Value>;

  private constructor(name: string, folder: string, config: Record<string, Value>, env: NodeJS.ProcessEnv) {
    this.name = name;
    this.folder = folder;
    this.#config = config;
    this.env = {
      ...process.env,
      PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests",
      ...env,
    };
  }

  /** Makes the stack's files; nothing is in the cluster yet. Keys of `config` are the program's settings. */
  static async make(name: string, config: Record<string, Value>, env: NodeJS.ProcessEnv = {}): Promise<TestStack> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-test-"));
    const stack = new TestStack(name, folder, config, env);
    await stack.configure({});
    return stack;
  }

  get configFile(): string {
    return join(this.folder, `Pulumi.${this.name}.yaml`);
  }

  get stateFile(): string {
    return join(this.folder, "state", ".pulumi", "stacks", "k8sauth", `${this.name}.json`);
  }

  /** Changes settings; undefined takes one away. The encryption salt stays. */
  async configure(changes: Record<string, Value | undefined>): Promise<void> {
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined) delete this.#config[key];
      else this.#config[key] = value;
    }
    const before = await readFile(this.configFile, "utf8").catch(() => "");
    const salt = /^encryptionsalt: .*$/m.exec(before)?.[0] ?? "";
    const config = Object.fromEntries(Object.entries(this.#config).map(([key, value]) => [`k8sauth:${key}`, value]));
    await writeFile(this.configFile, `${salt}\n${stringify({ config })}`);
  }

  /** Sets a setting as `k8sauth config set --secret` does. */
  async configureSecret(key: string, plaintext: string): Promise<void> {
    const stack = await openStack(this.options());
    const { settings: crypter } = await stack.crypters();
    stack.settings.salt = crypter.salt;
    await stack.settings.save();
    await this.configure({ [key]: { secure: crypter.encrypt(plaintext) } });
  }

  options(signal?: AbortSignal): StackOptions {
    this.history.push(...this.events);
    this.events = [];
    const { name: stack, env, configFile } = this;
    return {
      folder: program,
      stack,
      env,
      configFile,
      emit: (event) => {
        this.events.push(event);
        this.onEvent(event);
      },
      ...(signal && { signal }),
    };
  }

  up(signal?: AbortSignal) {
    return update({ ...this.options(signal), preview: false, policyPacks: this.policyPacks });
  }

  preview({ refresh: refreshed = false } = {}) {
    return update({ ...this.options(), preview: true, refresh: refreshed, policyPacks: this.policyPacks });
  }

  refresh() {
    return refresh({ ...this.options(), preview: false });
  }

  destroy(signal?: AbortSignal) {
    return destroy({ ...this.options(signal), preview: false });
  }

  /** The outputs as last saved, secrets laid open. */
  async outputs(): Promise<Properties> {
    return withoutSecrets((await stackOutputs(this.options())) as Value) as Properties;
  }

  /** What the engine, the program and the plugins said in the last operation, line by line. */
  get said(): string {
    return this.events.flatMap((event) => (event.kind === "diagnostic" ? [event.message] : [])).join("\n");
  }

  /** What policies found in the last operation. */
  get violations(): PolicyViolation[] {
    return this.events.flatMap((event) => (event.kind === "diagnostic" && event.violation ? [event.violation] : []));
  }

  /** The operations that were done, as `operation Type`, in order; confirmations left out. */
  get steps(): string[] {
    return this.events.flatMap((event) =>
      event.kind === "step" && event.state === "done" && event.operation !== "same"
        ? [`${event.operation} ${event.urn.split("::").at(-2)?.split(":").at(-1)}`]
        : [],
    );
  }

  /** Destroys what the stack made, if anything is left, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.onEvent = () => {};
    await this.destroy().catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}
