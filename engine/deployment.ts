import { defaultProviderGoal, withVersion } from "./defaultProvider.ts";
import { deleteFirst } from "./deleteFirst.ts";
import type { Changes, EventSink, Operation } from "./events.ts";
import { duplicate, type Goal, type StackContext } from "./goal.ts";
import { type Limit, limiter } from "./limit.ts";
import { kept, type Made, newState } from "./newState.ts";
import { changeOf, type Plan, planResource } from "./plan.ts";
import type { PolicyGate } from "./policy.ts";
import { InitFailed, OutcomeUnknown, type Provider } from "./provider.ts";
import { ProviderResource, type Providers } from "./providers.ts";
import { protectedResource, removeAll } from "./removal.ts";
import { settle, settleCreations } from "./settle.ts";
import type { Snapshot } from "./snapshot.ts";
import type { PendingOperation, ResourceState } from "./state.ts";
import { formatProviderRef, isProviderType, packageOf, type Urn } from "./urn.ts";
import { type Properties, unknown } from "./values.ts";

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
  /** What every resource has to pass before anything is done with it. */
  readonly policies?: PolicyGate | undefined;
}

/** What a registration answers: `id` is empty while it is not known. */
export interface Registered {
  readonly urn: Urn;
  readonly id: string;
  readonly outputs: Properties;
}

/** A step that did not begin because the run was already ending; the reason for that is told elsewhere. */
export class NotStarted extends Error {
  override readonly name = "NotStarted";
}

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
    if (!preview) await settleCreations(snapshot, providers, emit);
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
    await this.#options.policies?.check(goal, goal.inputs);
    const operation = old ? "same" : "create";
    this.#emit("started", operation, goal.urn);
    const outputs = old?.outputs;
    this.#options.snapshot.add(this.#state(goal, { inputs: goal.inputs, outputs, old, changed: !old }), old);
    await this.#save();
    this.#done(operation, goal.urn);
    return { urn: goal.urn, id: "", outputs: {} };
  }

  #defaultProvider(goal: Goal): Promise<string> {
    const key = `${packageOf(goal.type)}@${goal.version}`;
    let registering = this.#defaults.get(key);
    if (!registering) {
      const { stack, project, providerConfig } = this.#options;
      registering = this.register(defaultProviderGoal(goal, stack, project, providerConfig));
      this.#defaults.set(key, registering);
    }
    return registering.then(({ urn, id }) => formatProviderRef({ urn, id: id || unknown }));
  }

  async #provider(goal: Goal, old: ResourceState | undefined): Promise<Registered> {
    const resource = new ProviderResource(
      this.#options.providers,
      await this.#options.providers.launch(goal.type, goal.urn),
    );
    const plan = await planResource(goal, old, this.#options.policies?.guard(goal, resource) ?? resource);
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
    const { snapshot } = this.#options;
    const old = await settle(goal.urn, found, provider, { ...this.#options, reference: goal.provider as string });
    const plan = await planResource(goal, old, this.#options.policies?.guard(goal, provider, snapshot) ?? provider);
    if (plan.operation === "same") return this.#keep(goal, plan);
    // The program may take the protection off and replace the resource in one run.
    if (plan.operation === "replace" && plan.old?.protect && goal.protect) throw protectedResource(goal.urn);
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
    if (operation === "replace" && plan.deleteFirst) await deleteFirst(plan.old as ResourceState, this.#options);
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
        ? {
            id: updated.id ?? "",
            outputs: await provider.update({
              ...changeOf(updated, goal.urn, inputs, goal.ignoreChanges),
              preview: false,
            }),
          }
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
        ? await provider.update({ ...changeOf(old, goal.urn, inputs, goal.ignoreChanges), preview: true })
        : (await provider.create({ urn: goal.urn, inputs, preview: true })).outputs;
    }
    const state = this.#state(goal, { id: old?.id, inputs, outputs, old, changed: true });
    this.#supersede(state, plan);
    return { urn: goal.urn, id: old?.id ?? "", outputs: state.outputs ?? {} };
  }

  #state(goal: Goal, made: Omit<Made, "now">): ResourceState {
    return newState(goal, { ...made, now: this.#options.now() });
  }

  async #save(): Promise<void> {
    if (!this.#options.preview) await this.#options.snapshot.save();
  }

  #emit(state: "started" | "done" | "failed", operation: Operation, urn: Urn, plan?: Partial<Plan>): void {
    const { diffs = [], replaces = [] } = plan ?? {};
    this.#options.emit({ kind: "step", state, operation, urn, diffs, replaces });
  }

  #done(operation: Operation, urn: Urn, plan?: Partial<Plan>): void {
    this.changes[operation] = (this.changes[operation] ?? 0) + 1;
    this.#emit("done", operation, urn, plan);
  }
}
