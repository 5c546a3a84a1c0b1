import { randomUUID } from "node:crypto";
import { unsupported } from "./errors.ts";
import { type PluginSpec, startPlugin } from "./plugin.ts";
import type {
  CheckRequest,
  CheckResult,
  Created,
  CreateRequest,
  DiffRequest,
  DiffResult,
  Provider,
} from "./provider.ts";
import { formatProviderRef, type ProviderRef, packageOf, parseProviderRef, typeOf, type Urn } from "./urn.ts";
import { changedKeys, containsUnknown, type Properties } from "./values.ts";

export interface ProvidersOptions {
  /** Providers that live in this process, by package name. */
  readonly builtins: Readonly<Record<string, () => Provider>>;
  readonly plugins: readonly PluginSpec[];
  readonly rootDirectory: string;
  readonly env: NodeJS.ProcessEnv;
  readonly engineAddress: () => Promise<string>;
  /** What a plugin writes to its standard error. */
  readonly say: (message: string) => void;
  /** The inputs of a provider that is in the state, for resources whose provider the program no longer registers. */
  readonly fromState: (ref: ProviderRef) => Properties | undefined;
}

/** The providers of a run: started on demand, configured once, found again by reference. */
export class Providers {
  readonly #options: ProvidersOptions;
  readonly #byRef = new Map<string, Promise<Provider>>();
  readonly #warm = new Map<string, Promise<Provider>>();
  readonly #started: Promise<Provider>[] = [];

  constructor(options: ProvidersOptions) {
    this.#options = options;
  }

  /** Starts the project's plugins ahead of their first use. */
  warmUp(): void {
    for (const { name } of this.#options.plugins) this.#warm.set(name, this.#start(name));
  }

  /** A provider that is not configured yet. Throws `UNSUPPORTED` for packages that the engine can't run. */
  launch(providerType: string, where: string): Promise<Provider> {
    const name = packageOf(providerType);
    const warm = this.#warm.get(name);
    this.#warm.delete(name);
    return warm ?? this.#start(name, where);
  }

  /** Configures a provider and makes it the one of that reference. One whose inputs are not known yet stays unconfigured. */
  async configure(ref: ProviderRef, provider: Provider, inputs: Properties): Promise<void> {
    const known = !containsUnknown(inputs);
    if (known) await provider.configure(inputs);
    this.#byRef.set(formatProviderRef(ref), Promise.resolve(known ? provider : new UnconfiguredProvider(provider)));
  }

  /** The provider that a resource refers to: of this run, or from the state. */
  get(reference: string): Promise<Provider> {
    let provider = this.#byRef.get(reference);
    if (!provider) {
      provider = this.#load(reference);
      this.#byRef.set(reference, provider);
    }
    return provider;
  }

  /** Whether a reference leads to a provider: of this run, or of the state. */
  has(reference: string): boolean {
    return this.#byRef.has(reference) || this.#options.fromState(parseProviderRef(reference)) !== undefined;
  }

  /** Tells every provider to end what it does. */
  async cancel(): Promise<void> {
    await this.#each((provider) => provider.cancel());
  }

  async close(): Promise<void> {
    await this.#each((provider) => provider.close());
  }

  async #each(act: (provider: Provider) => Promise<void>): Promise<void> {
    await Promise.all(this.#started.map((starting) => starting.then(act, () => {})));
  }

  async #load(reference: string): Promise<Provider> {
    const ref = parseProviderRef(reference);
    const inputs = this.#options.fromState(ref);
    if (!inputs) throw new Error(`The provider ${reference} is not in the state, so its resources can't be reached.`);
    const provider = await this.launch(typeOf(ref.urn), ref.urn);
    await provider.configure(inputs);
    return provider;
  }

  #start(name: string, where = name): Promise<Provider> {
    const starting = this.#startNow(name, where);
    starting.catch(() => {}); // The one who asks for it gets the error; a warm one may never be asked for.
    this.#started.push(starting);
    return starting;
  }

  async #startNow(name: string, where: string): Promise<Provider> {
    const { builtins, plugins, env, engineAddress, say, rootDirectory } = this.#options;
    const builtin = builtins[name];
    if (builtin) return builtin();
    const spec = plugins.find((plugin) => plugin.name === name);
    if (!spec) throw unsupported(`the package "${name}"`, where);
    const plugin = await startPlugin(spec, await engineAddress(), env, say);
    await plugin.handshake(rootDirectory);
    return plugin;
  }
}

/** The steps of a provider as a resource: its inputs are checked and compared by the provider that they are for. */
export class ProviderResource {
  readonly #providers: Providers;
  readonly #provider: Provider;

  constructor(providers: Providers, provider: Provider) {
    this.#providers = providers;
    this.#provider = provider;
  }

  check(request: CheckRequest): Promise<CheckResult> {
    return this.#provider.checkConfig(request);
  }

  diff(request: DiffRequest): Promise<DiffResult> {
    return this.#provider.diffConfig(request);
  }

  async create({ urn, inputs }: CreateRequest): Promise<Created> {
    const id = randomUUID();
    await this.use(urn, id, inputs);
    return { id, outputs: publicInputs(inputs) };
  }

  /** Takes the inputs into use under an id that the provider has already. */
  async use(urn: Urn, id: string, inputs: Properties): Promise<Properties> {
    await this.#providers.configure({ urn, id }, this.#provider, inputs);
    return publicInputs(inputs);
  }
}

/** A provider's outputs are its inputs without the engine's own `__internal`. */
function publicInputs(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => key !== "__internal"));
}

/** Stands for a provider in a preview whose settings are not known yet: nothing is asked of the real one. */
class UnconfiguredProvider implements Provider {
  readonly supportsPreview = false;
  readonly #provider: Provider;

  constructor(provider: Provider) {
    this.#provider = provider;
  }

  async check({ news }: CheckRequest): Promise<CheckResult> {
    return { inputs: news, failures: [] };
  }

  async diff({ oldInputs, newInputs }: DiffRequest): Promise<DiffResult> {
    const diffs = changedKeys(oldInputs, newInputs);
    return { changes: diffs.length > 0, replaces: [], diffs, deleteBeforeReplace: false };
  }

  checkConfig(request: CheckRequest): Promise<CheckResult> {
    return this.check(request);
  }

  diffConfig(request: DiffRequest): Promise<DiffResult> {
    return this.diff(request);
  }

  async configure(): Promise<void> {}

  create(): Promise<Created> {
    return this.#refuse();
  }

  update(): Promise<Properties> {
    return this.#refuse();
  }

  read(): Promise<undefined> {
    return this.#refuse();
  }

  delete(): Promise<void> {
    return this.#refuse();
  }

  cancel(): Promise<void> {
    return this.#provider.cancel();
  }

  close(): Promise<void> {
    return this.#provider.close();
  }

  #refuse(): Promise<never> {
    return Promise.reject(new Error("The provider's settings are not known, so it can't be used."));
  }
}
