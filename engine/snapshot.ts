import { dependenciesOf, type PendingOperation, type ResourceState } from "./state.ts";
import type { Urn } from "./urn.ts";

/** What is written: resources in dependency order, and the work under way. */
export interface SnapshotContent {
  readonly resources: ResourceState[];
  readonly pending: PendingOperation[];
}

/**
 * The state of a stack while it changes: what was there before (`base`), superseded bit by bit by what this run made.
 * Every change is followed by `save`, which returns once it is on the disk; changes that come while one write is under
 * way share the next.
 */
export class Snapshot {
  readonly #write: (content: SnapshotContent) => Promise<void>;
  #base: ResourceState[];
  #news: ResourceState[] = [];
  #pending: Set<PendingOperation>;
  #writing: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  #sealed = false;

  /** `write` puts the content where it lasts; in previews it does nothing. */
  constructor(content: SnapshotContent, write: (content: SnapshotContent) => Promise<void>) {
    this.#base = [...content.resources];
    this.#pending = new Set(content.pending);
    this.#write = write;
  }

  get content(): SnapshotContent {
    return { resources: [...this.#news, ...this.#base], pending: [...this.#pending] };
  }

  /** What this run made or confirmed. */
  get made(): readonly ResourceState[] {
    return this.#news;
  }

  /** What was there before this run and has not been superseded or removed. */
  get remaining(): readonly ResourceState[] {
    return this.#base;
  }

  /** Writes the present content; resolves once it, or a later one, is on the disk. */
  save(): Promise<void> {
    if (this.#sealed) return Promise.reject(new Error("The run has ended; its state is not written any more."));
    if (!this.#queued) {
      this.#queued = this.#writing
        .catch(() => {})
        .then(() => {
          this.#queued = undefined;
          this.#writing = this.#write(this.content);
          return this.#writing;
        });
    }
    return this.#queued;
  }

  /** From here on nothing more is written: the stack may belong to another run. Resolves once the last write is through. */
  async seal(): Promise<void> {
    this.#sealed = true;
    await (this.#queued ?? this.#writing).catch(() => {});
  }

  /** The live resource of that name before this run: not one that only waits for its deletion. */
  old(urn: Urn): ResourceState | undefined {
    return this.#base.find((resource) => resource.urn === urn && !resource.delete);
  }

  /** The resource that this run made or confirmed. */
  current(urn: Urn): ResourceState | undefined {
    return this.#news.find((resource) => resource.urn === urn);
  }

  /** The provider with this URN and id, new or old. */
  provider(urn: Urn, id: string): ResourceState | undefined {
    return this.content.resources.find((resource) => resource.urn === urn && resource.id === id);
  }

  /** Adds a resource; the one that it takes the place of goes. */
  add(resource: ResourceState, supersedes?: ResourceState): void {
    if (supersedes) this.remove(supersedes);
    this.#news.push(resource);
  }

  /** Puts another state in a resource's place. */
  replace(before: ResourceState, after: ResourceState): void {
    const put = (list: ResourceState[]) => list.map((resource) => (resource === before ? after : resource));
    this.#base = put(this.#base);
    this.#news = put(this.#news);
  }

  remove(resource: ResourceState): void {
    this.#base = this.#base.filter((item) => item !== resource);
    this.#news = this.#news.filter((item) => item !== resource);
  }

  /** Takes a found resource up among what was there before, in dependency order. */
  adopt(resource: ResourceState): void {
    this.#base.push(resource);
  }

  /** Rewrites references to a resource that goes by another name from now on. */
  rename(from: Urn, to: Urn): void {
    const swap = (urn: Urn) => (urn === from ? to : urn);
    const renamed = (resource: ResourceState): ResourceState => {
      if (!dependenciesOf(resource).has(from)) return resource;
      const { parent, dependencies, propertyDependencies, provider } = resource;
      return {
        ...resource,
        ...(parent && { parent: swap(parent) }),
        ...(dependencies && { dependencies: dependencies.map(swap) }),
        ...(propertyDependencies && {
          propertyDependencies: Object.fromEntries(
            Object.entries(propertyDependencies).map(([key, urns]) => [key, urns.map(swap)]),
          ),
        }),
        ...(provider?.startsWith(`${from}::`) && { provider: `${to}${provider.slice(from.length)}` }),
      };
    };
    this.#base = this.#base.map(renamed);
  }

  /** Operations of earlier runs on this resource that may or may not have happened; the Pulumi CLI leaves them to gather. */
  interrupted(urn: Urn): PendingOperation[] {
    return [...this.#pending].filter((operation) => operation.resource.urn === urn);
  }

  begin(operation: PendingOperation): void {
    this.#pending.add(operation);
  }

  end(operation: PendingOperation): void {
    this.#pending.delete(operation);
  }
}
