import { EngineError } from "./errors.ts";
import type { Changes, EventSink, Operation } from "./events.ts";
import { duplicate, type Goal, type StackContext, withIgnoredChanges } from "./goal.ts";
import { InitFailed, OutcomeUnknown, type Provider } from "./provider.ts";
import { ProviderResource, type Providers } from "./providers.ts";
import { removeAll, settleCreations } from "./removal.ts";
import type { Snapshot } from "./snapshot.ts";
import { dependenciesOf, type PendingOperation, type ResourceState } from "./state.ts";
import {
  formatProviderRef,
  isDefaultProvider,
  isProviderType,
  makeUrn,
  packageOf,
  parseProviderRef,
  providerTypePrefix,
  type Urn,
} from "./urn.ts";
import { equal, isSecret, type Properties, secret, unknown } from "./values.ts";

export interface DeploymentOptions {
  readonly stack: string;
  readonly project: string;
  readonly snapshot: Snapshot;
  readonly providers: Providers;
  readonly preview: boolean;
  /** How many operations may be under way at once. */
  readonly parallel: number;
  readonly emit: EventSink;
  /** Settings for default providers, by package. */
  readonly providerConfig: (packageName: string) => Properties;
  readonly now: () => Date;
}

/** What a registration answers: `id` is empty while it is not known. */
export interface Registered {
  readonly urn: Urn;
  readonly id: string;
  readonly outputs: Properties;
}

/** What check and diff found a resource to need. */
interface Plan {
  readonly operation: "same" | "create" | "update" | "replace";
  readonly inputs: Properties;
  readonly old: ResourceState | undefined;
  readonly diffs: readonly string[];
  readonly replaces: readonly string[];
  readonly deleteFirst: boolean;
}

/** A step that did not begin because the run was already ending; the reason for that is told elsewhere. */
export class NotStarted extends Error {
  override readonly name = "NotStarted";
}

/** Runs one provider operation at a time for each free place. */
export type Limit = <T>(run: () => Promise<T>) => Promise<T>;

/**
 * One `up` or `preview`: takes the program's registrations, finds for each whether to create, update, replace or keep,
 * does it, and in the end deletes what the program no longer registers. The state is saved before and after each step.
 */
export class Deployment implements StackContext {
  readonly changes: Changes = {};
  readonly #options: DeploymentOptions;
  readonly #limit: Limit;
  readonly #goals = new Map<Urn, Goal>();
  readonly #defaults = new Map<string, Promise<Registered>>();
  readonly #stopped = new AbortController();

  constructor(options: DeploymentOptions) {
    this.#options = options;
    this.#limit = limiter(options.parallel);
  }

  get stack(): string {
    return this.#options.stack;
  }

  get project(): string {
    return this.#options.project;
  }

  aliasesOf(urn: Urn): readonly Urn[] {
    return this.#goals.get(urn)?.aliases ?? [];
  }

  async register(asked: Goal): Promise<Registered> {
    if (this.#goals.has(asked.urn)) throw duplicate(asked.urn);
    const parent = asked.parent ? this.#goals.get(asked.parent) : undefined;
    const goal = {
      ...asked,
      protect: asked.protect ?? parent?.protect,
      retainOnDelete: asked.retainOnDelete ?? parent?.retainOnDelete,
    };
    this.#goals.set(goal.urn, goal);
    const old = this.#oldOf(goal);
    if (!goal.custom) return this.#component(goal, old);
    if (isProviderType(goal.type)) return this.#provider(withVersion(goal), old);
    const provider = goal.provider ?? (await this.#defaultProvider(goal));
    return this.#resource({ ...goal, provider }, old, await this.#options.providers.get(provider));
  }

  async registerOutputs(urn: Urn, outputs: Properties): Promise<void> {
    const { snapshot } = this.#options;
    const current = snapshot.current(urn);
    if (!current) throw new Error(`Outputs were registered for ${urn}, which is not a resource of this run.`);
    snapshot.replace(current, { ...current, outputs: kept(current.outputs, outputs) });
    await this.#save();
  }

  /** From here on no step begins; those under way go on to their end. */
  stop(): void {
    this.#stopped.abort();
  }

  /** Deletes what this run did not register, dependents first. Only after a program that ended well. */
  async finish(): Promise<void> {
    const { snapshot, providers, emit, preview } = this.#options;
    if (!preview) await settleCreations(snapshot, providers);
    await removeAll({
      resources: [...snapshot.remaining],
      snapshot,
      providers,
      emit,
      limit: this.#limit,
      preview,
      changes: this.changes,
      signal: this.#stopped.signal,
    });
  }

  #oldOf(goal: Goal): ResourceState | undefined {
    const { snapshot } = this.#options;
    const old = snapshot.old(goal.urn);
    if (old) return old;
    for (const alias of goal.aliases) {
      const former = snapshot.old(alias);
      if (!former) continue;
      const renamed = { ...former, urn: goal.urn };
      snapshot.replace(former, renamed);
      snapshot.rename(alias, goal.urn);
      return renamed;
    }
    return undefined;
  }

  async #component(goal: Goal, old: ResourceState | undefined): Promise<Registered> {
    const operation = old ? "same" : "create";
    this.#emit("started", operation, goal.urn);
    const outputs = old?.outputs;
    this.#options.snapshot.add(this.#state(goal, { inputs: goal.inputs, outputs, old, changed: !old }), old);
    await this.#save();
    this.#done(operation, goal.urn);
    return { urn: goal.urn, id: "", outputs: {} };
  }

  #defaultProvider(goal: Goal): Promise<string> {
    const name = packageOf(goal.type);
    const key = `${name}@${goal.version}`;
    let registering = this.#defaults.get(key);
    if (!registering) {
      const { stack, project, providerConfig } = this.#options;
      const type = `${providerTypePrefix}${name}`;
      const resourceName = goal.version ? `default_${goal.version.replaceAll(/[.+-]/g, "_")}` : "default";
      const inputs = { __internal: {}, ...providerConfig(name), ...(goal.version && { version: goal.version }) };
      registering = this.register({
        ...emptyGoal,
        urn: makeUrn(stack, project, undefined, type, resourceName),
        type,
        inputs,
        version: goal.version,
      });
      this.#defaults.set(key, registering);
    }
    return registering.then(({ urn, id }) => formatProviderRef({ urn, id: id || unknown }));
  }

  async #provider(goal: Goal, old: ResourceState | undefined): Promise<Registered> {
    const resource = new ProviderResource(
      this.#options.providers,
      await this.#options.providers.launch(goal.type, goal.urn),
    );
    const plan = await this.#plan(goal, old, resource);
    this.#emit("started", plan.operation, goal.urn, plan);
    const keepsId = old?.id !== undefined && plan.operation !== "replace";
    const created = keepsId
      ? { id: old.id as string, outputs: await resource.use(goal.urn, old.id as string, plan.inputs) }
      : await resource.create({ urn: goal.urn, inputs: plan.inputs, preview: this.#options.preview });
    const changed = plan.operation !== "same";
    const state = this.#state(goal, { ...created, inputs: plan.inputs, old: keepsId ? old : undefined, changed });
    this.#supersede(state, plan);
    await this.#save();
    this.#done(plan.operation, goal.urn, plan);
    return { urn: goal.urn, ...created };
  }

  async #resource(goal: Goal, found: ResourceState | undefined, provider: Provider): Promise<Registered> {
    const old = await this.#settle(goal, found, provider);
    const plan = await this.#plan(goal, old, provider);
    if (plan.operation === "same") return this.#keep(goal, plan);
    if (plan.operation === "replace" && plan.old?.protect) throw protectedResource(goal.urn);
    try {
      const result = await this.#limit(async () => {
        if (this.#stopped.signal.aborted) throw new NotStarted();
        this.#emit("started", plan.operation, goal.urn, plan);
        return this.#apply(goal, plan, provider);
      });
      this.#done(plan.operation, goal.urn, plan);
      return result;
    } catch (error) {
      if (!(error instanceof NotStarted)) this.#emit("failed", plan.operation, goal.urn, plan);
      throw error;
    }
  }

  /** Finds out what came of an operation that an earlier run began on this resource and never finished. */
  async #settle(goal: Goal, old: ResourceState | undefined, provider: Provider): Promise<ResourceState | undefined> {
    const { snapshot, preview } = this.#options;
    const operation = snapshot.interrupted(goal.urn);
    if (!operation) return old;
    if (operation.type === "updating" && old) {
      snapshot.end(operation);
      return this.#put(old, { ...old, initErrors: ["an update was interrupted"] });
    }
    // A preview has to do without the cluster: it shows what is to be done if nothing came of the operation.
    if (preview) return old;
    if (operation.type === "creating") {
      const created = await provider.find?.(goal.urn, operation.resource.inputs ?? {});
      // Not before the outcome is known: until then a state that another step saves has to tell of the operation.
      snapshot.end(operation);
      if (!created || (created.id === old?.id && !old.pendingReplacement)) return old;
      // Found: as if the creation had ended well. What it was to replace, if anything, waits for its deletion.
      const resource = { ...operation.resource, ...created };
      if (old?.pendingReplacement) snapshot.remove(old);
      else if (old) snapshot.replace(old, { ...old, delete: true });
      snapshot.adopt(resource);
      return resource;
    }
    if (operation.type === "deleting" && old?.id) {
      const live = await provider.read({
        urn: old.urn,
        id: old.id,
        inputs: old.inputs ?? {},
        outputs: old.outputs ?? {},
      });
      snapshot.end(operation);
      if (!live) {
        snapshot.remove(old);
        return undefined;
      }
      return old;
    }
    snapshot.end(operation);
    return old;
  }

  #put(before: ResourceState, after: ResourceState): ResourceState {
    this.#options.snapshot.replace(before, after);
    return after;
  }

  async #plan(goal: Goal, old: ResourceState | undefined, provider: Pick<Provider, "check" | "diff">): Promise<Plan> {
    const { urn } = goal;
    const news = withIgnoredChanges(goal.inputs, old?.inputs, goal.ignoreChanges);
    const checked = await this.#check(provider, urn, old?.pendingReplacement ? undefined : old?.inputs, news);
    const none = { inputs: checked, old, diffs: [], replaces: [], deleteFirst: false };
    if (!old || old.pendingReplacement) return { ...none, operation: "create" };
    const diff = await provider.diff({
      urn,
      id: old.id ?? "",
      oldInputs: old.inputs ?? {},
      oldOutputs: old.outputs ?? {},
      newInputs: checked,
      ignoreChanges: goal.ignoreChanges,
    });
    const forced = diff.diffs.filter((path) => goal.replaceOnChanges.some((asked) => within(path, asked)));
    const moved = this.#providerReplaced(goal, old) ? ["provider"] : [];
    const replaces = [...new Set([...diff.replaces, ...forced, ...moved])];
    const diffs = [...new Set([...diff.diffs, ...replaces])];
    if (replaces.length > 0) {
      const inputs = await this.#check(provider, urn, undefined, news);
      const deleteFirst = goal.deleteBeforeReplace ?? diff.deleteBeforeReplace;
      return { operation: "replace", inputs, old, diffs, replaces, deleteFirst };
    }
    const update = diff.changes || (old.initErrors?.length ?? 0) > 0;
    return { ...none, diffs, operation: update ? "update" : "same" };
  }

  async #check(provider: Pick<Provider, "check">, urn: Urn, olds: Properties | undefined, news: Properties) {
    const { inputs, failures } = await provider.check({ urn, olds, news });
    if (failures.length > 0) {
      const lines = failures.map(({ property, reason }) => (property ? `${property}: ${reason}` : reason));
      throw new EngineError("CHECK_FAILED", lines.join("\n"));
    }
    return inputs;
  }

  /** A resource moves with its provider, unless one default provider (an upgrade, say) takes over from another. */
  #providerReplaced(goal: Goal, old: ResourceState): boolean {
    if (!goal.provider || !old.provider || goal.provider === old.provider) return false;
    const [now, before] = [parseProviderRef(goal.provider), parseProviderRef(old.provider)];
    if (isDefaultProvider(now.urn) && isDefaultProvider(before.urn)) return false;
    return now.id !== before.id;
  }

  async #keep(goal: Goal, plan: Plan): Promise<Registered> {
    const old = plan.old as ResourceState;
    const { inputs } = plan;
    const state = this.#state(goal, { id: old.id, inputs, outputs: old.outputs, old, changed: false });
    this.#options.snapshot.add(state, old);
    await this.#save();
    this.#emit("started", "same", goal.urn);
    this.#done("same", goal.urn);
    return { urn: goal.urn, id: old.id ?? "", outputs: state.outputs ?? {} };
  }

  async #apply(goal: Goal, plan: Plan, provider: Provider): Promise<Registered> {
    const { operation, inputs } = plan;
    if (this.#options.preview) return this.#foresee(goal, plan, provider);
    if (operation === "replace" && plan.deleteFirst) await this.#deleteFirst(plan.old as ResourceState);
    const updated = operation === "update" ? (plan.old as ResourceState) : undefined;
    const pending: PendingOperation = {
      type: updated ? "updating" : "creating",
      resource: this.#state(goal, {
        id: updated?.id,
        inputs,
        outputs: updated?.outputs ?? {},
        old: updated,
        changed: true,
      }),
    };
    this.#options.snapshot.begin(pending);
    await this.#save();
    let result: { id: string; outputs: Properties };
    let failure: InitFailed | undefined;
    try {
      result = updated
        ? { id: updated.id ?? "", outputs: await this.#update(goal, updated, inputs, provider, false) }
        : await provider.create({ urn: goal.urn, inputs, preview: false });
    } catch (error) {
      if (error instanceof OutcomeUnknown) throw error;
      this.#options.snapshot.end(pending);
      if (!(error instanceof InitFailed)) {
        await this.#save();
        throw error;
      }
      failure = error;
      result = { id: error.id || (updated?.id ?? ""), outputs: error.outputs };
    }
    this.#options.snapshot.end(pending);
    const initErrors = failure ? [...failure.reasons] : undefined;
    const state = this.#state(goal, { ...result, inputs, old: updated, changed: true, initErrors });
    this.#supersede(state, plan);
    await this.#save();
    if (failure) throw failure;
    return { urn: goal.urn, id: result.id, outputs: state.outputs ?? {} };
  }

  #update(
    goal: Goal,
    old: ResourceState,
    newInputs: Properties,
    provider: Provider,
    preview: boolean,
  ): Promise<Properties> {
    return provider.update({
      urn: goal.urn,
      id: old.id ?? "",
      oldInputs: old.inputs ?? {},
      oldOutputs: old.outputs ?? {},
      newInputs,
      ignoreChanges: goal.ignoreChanges,
      preview,
    });
  }

  /** The new state takes the old one's place; a replaced one stays in the state until it is deleted in the end. */
  #supersede(state: ResourceState, { operation, old }: Plan): void {
    const { snapshot } = this.#options;
    if (operation === "replace" && old && snapshot.remaining.includes(old)) {
      snapshot.replace(old, { ...old, delete: true });
      snapshot.add(state);
    } else {
      // One that was deleted first has left an entry of its own kind behind.
      snapshot.add(state, operation === "replace" ? snapshot.old(state.urn) : old);
    }
  }

  /** What a preview can say of a step: the provider's own forecast, or nothing, which the SDK reads as all unknown. */
  async #foresee(goal: Goal, plan: Plan, provider: Provider): Promise<Registered> {
    const { inputs, operation } = plan;
    const old = operation === "update" ? plan.old : undefined;
    let outputs: Properties = {};
    if (provider.supportsPreview) {
      outputs = old
        ? await this.#update(goal, old, inputs, provider, true)
        : (await provider.create({ urn: goal.urn, inputs, preview: true })).outputs;
    }
    const state = this.#state(goal, { id: old?.id, inputs, outputs, old, changed: true });
    this.#supersede(state, plan);
    return { urn: goal.urn, id: old?.id ?? "", outputs: state.outputs ?? {} };
  }

  /** Deletes a resource ahead of its replacement, and before it those that can't outlive it. */
  async #deleteFirst(root: ResourceState): Promise<void> {
    const { snapshot, providers, emit } = this.#options;
    const going = [root, ...(await this.#dependentsToReplace(root))];
    for (const resource of going) if (resource.protect) throw protectedResource(resource.urn);
    for (const resource of going.reverse()) {
      await removeAll({
        resources: [resource],
        snapshot,
        providers,
        emit,
        limit: (run) => run(),
        preview: false,
        keep: true,
      });
    }
  }

  /** Those whose own inputs would force their replacement once this resource has another identity. */
  async #dependentsToReplace(root: ResourceState): Promise<ResourceState[]> {
    const gone = new Set([root.urn]);
    const result: ResourceState[] = [];
    for (const resource of this.#options.snapshot.remaining) {
      if (resource === root || resource.delete || resource.pendingReplacement || !resource.custom) continue;
      const touched = Object.entries(resource.propertyDependencies ?? {})
        .filter(([, urns]) => urns.some((urn) => gone.has(urn)))
        .map(([key]) => key);
      if (touched.length === 0 || !resource.provider || ![...dependenciesOf(resource)].some((urn) => gone.has(urn)))
        continue;
      const oldInputs = resource.inputs ?? {};
      const provider = await this.#options.providers.get(resource.provider);
      const diff = await provider.diff({
        urn: resource.urn,
        id: resource.id ?? "",
        oldInputs,
        oldOutputs: resource.outputs ?? {},
        newInputs: { ...oldInputs, ...Object.fromEntries(touched.map((key) => [key, unknown])) },
        ignoreChanges: [],
      });
      if (diff.replaces.length === 0) continue;
      gone.add(resource.urn);
      result.push(resource);
    }
    return result;
  }

  #state(
    goal: Goal,
    made: {
      id?: string;
      inputs: Properties;
      outputs: Properties | undefined;
      old: ResourceState | undefined;
      changed: boolean;
      initErrors?: string[];
    },
  ): ResourceState {
    const { old } = made;
    const now = this.#options.now().toISOString();
    return {
      ...old,
      urn: goal.urn,
      custom: goal.custom,
      id: made.id || undefined,
      type: goal.type,
      inputs: goal.custom || Object.keys(made.inputs).length > 0 ? kept(old?.inputs, made.inputs) : undefined,
      outputs:
        made.outputs && kept(old?.outputs, withSecretOutputs(made.outputs, made.inputs, goal.additionalSecretOutputs)),
      parent: goal.parent,
      protect: goal.protect || undefined,
      retainOnDelete: goal.retainOnDelete || undefined,
      dependencies: goal.dependencies.length > 0 ? goal.dependencies : undefined,
      provider: goal.provider,
      propertyDependencies: goal.custom && !isProviderType(goal.type) ? goal.propertyDependencies : undefined,
      additionalSecretOutputs: goal.additionalSecretOutputs.length > 0 ? goal.additionalSecretOutputs : undefined,
      replaceOnChanges: goal.replaceOnChanges.length > 0 ? goal.replaceOnChanges : undefined,
      initErrors: made.initErrors,
      pendingReplacement: undefined,
      delete: undefined,
      created: old?.created ?? now,
      modified: made.changed ? now : (old?.modified ?? now),
    };
  }

  async #save(): Promise<void> {
    if (!this.#options.preview) await this.#options.snapshot.save();
  }

  #emit(
    state: "started" | "done" | "failed",
    operation: Operation,
    urn: Urn,
    plan?: Pick<Plan, "diffs" | "replaces">,
  ): void {
    const { diffs = [], replaces = [] } = plan ?? {};
    this.#options.emit({ kind: "step", state, operation, urn, diffs, replaces });
  }

  #done(operation: Operation, urn: Urn, plan?: Pick<Plan, "diffs" | "replaces">): void {
    this.changes[operation] = (this.changes[operation] ?? 0) + 1;
    this.#emit("done", operation, urn, plan);
  }
}

/** A provider keeps the version of its package among its inputs, as Pulumi's own engine has it. */
function withVersion(goal: Goal): Goal {
  if (!goal.version || goal.inputs.version !== undefined) return goal;
  return { ...goal, inputs: { ...goal.inputs, version: goal.version } };
}

const emptyGoal: Omit<Goal, "urn" | "type"> = {
  custom: true,
  parent: undefined,
  inputs: {},
  dependencies: [],
  propertyDependencies: {},
  provider: undefined,
  version: "",
  protect: undefined,
  retainOnDelete: undefined,
  deleteBeforeReplace: undefined,
  ignoreChanges: [],
  replaceOnChanges: [],
  additionalSecretOutputs: [],
  aliases: [],
};

/** Whether two property paths lead to the same value, or one into the other. */
function within(path: string, asked: string): boolean {
  return asked === "*" || path === asked || path.startsWith(`${asked}.`) || asked.startsWith(`${path}.`);
}

/** Values that have not changed stay the same objects, so that their secrets keep their ciphertexts. */
function kept(before: Properties | undefined, now: Properties): Properties {
  return before && equal(before, now) ? before : now;
}

/** Marks the outputs that the program names, and those whose input of the same name is secret. */
export function withSecretOutputs(outputs: Properties, inputs: Properties, named: readonly string[]): Properties {
  const result = { ...outputs };
  for (const key of [...named, ...Object.keys(inputs).filter((input) => isSecret(inputs[input]))]) {
    const value = result[key];
    if (value !== undefined) result[key] = secret(value);
  }
  return result;
}

function protectedResource(urn: Urn): EngineError {
  return new EngineError(
    "PROTECTED",
    `${urn} is protected, but would have to be deleted. Take the option protect off first.`,
  );
}

/** At most so many at once; the others wait their turn. */
export function limiter(places: number): Limit {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
