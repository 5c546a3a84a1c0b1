import { cancelled, EngineError, messageOf } from "./errors.ts";
import type { Changes, EventSink } from "./events.ts";
import type { Limit } from "./limit.ts";
import { OutcomeUnknown } from "./provider.ts";
import type { Providers } from "./providers.ts";
import type { Snapshot } from "./snapshot.ts";
import { dependenciesOf, type PendingOperation, type ResourceState } from "./state.ts";
import { isProviderType, type Urn } from "./urn.ts";

export interface Removal {
  readonly resources: readonly ResourceState[];
  readonly snapshot: Snapshot;
  readonly providers: Providers;
  readonly emit: EventSink;
  readonly limit: Limit;
  readonly preview: boolean;
  readonly changes?: Changes;
  /** Keeps the resources in the state as ones that are to be made again. */
  readonly keep?: boolean;
  /** Once aborted, no further deletion begins. */
  readonly signal?: AbortSignal;
}

/**
 * Deletes resources: each after those of the same set that depend on it, independent ones at the same time. One that
 * fails, or is protected, keeps what it depends on; the rest goes on, and all errors are thrown together. After a
 * cancellation what has not begun stays. With `keep` it is for the caller to spare what is protected.
 */
export async function removeAll(removal: Removal): Promise<void> {
  const { resources } = removal;
  const needs = new Map(resources.map((resource) => [resource, dependenciesOf(resource)]));
  const spared = new Set<ResourceState>();
  const errors: string[] = [];
  const removals = new Map<ResourceState, Promise<boolean>>();
  const remove = (resource: ResourceState): Promise<boolean> => {
    let removing = removals.get(resource);
    if (!removing) {
      const dependents = resources.filter((other) => other !== resource && needs.get(other)?.has(resource.urn));
      removing = (async () => {
        const gone = await Promise.all(dependents.map(remove));
        if (gone.includes(false)) return false;
        if (resource.protect && !resource.delete && !removal.keep) {
          spared.add(resource);
          return false;
        }
        try {
          return await removal.limit(async () => {
            if (removal.signal?.aborted) return false;
            await removeOne(resource, removal);
            return true;
          });
        } catch (error) {
          errors.push(`${resource.urn}: ${messageOf(error)}`);
          return false;
        }
      })();
      removals.set(resource, removing);
    }
    return removing;
  };
  await Promise.all(resources.map(remove));
  if (removal.signal?.aborted) throw cancelled();
  const forbidden = resources
    .filter((resource) => spared.has(resource))
    .map(({ urn }) => protectedResource(urn).message);
  const messages = [...forbidden, ...errors];
  if (messages.length === 0) return;
  throw new EngineError(errors.length > 0 ? "DEPLOYMENT_FAILED" : "PROTECTED", messages.join("\n"));
}

async function removeOne(resource: ResourceState, removal: Removal): Promise<void> {
  const { snapshot, providers, preview, changes, keep } = removal;
  const operation = resource.delete ? "delete-replaced" : "delete";
  const event = { kind: "step", operation, urn: resource.urn, diffs: [], replaces: [] } as const;
  const forget = () => {
    if (keep) snapshot.replace(resource, { ...resource, pendingReplacement: true });
    else snapshot.remove(resource);
  };
  const silent = isProviderType(resource.type) || resource.pendingReplacement === true;
  if (!silent) removal.emit({ ...event, state: "started" });
  const owned =
    resource.custom && !silent && !resource.external && !resource.retainOnDelete && resource.id && resource.provider;
  if (owned && !preview) {
    const pending: PendingOperation = { type: "deleting", resource };
    snapshot.begin(pending);
    await snapshot.save();
    try {
      const provider = await providers.get(resource.provider as string);
      const { urn, id, inputs, outputs } = resource;
      await provider.delete({ urn, id: id as string, inputs: inputs ?? {}, outputs: outputs ?? {} });
      snapshot.end(pending);
    } catch (error) {
      if (!(error instanceof OutcomeUnknown)) snapshot.end(pending);
      await snapshot.save();
      removal.emit({ ...event, state: "failed" });
      throw error;
    }
  }
  forget();
  if (!preview) await snapshot.save();
  if (silent) return;
  if (changes) changes[operation] = (changes[operation] ?? 0) + 1;
  removal.emit({ ...event, state: "done" });
}

/** The error for a deletion that the option `protect` forbids. */
export function protectedResource(urn: Urn): EngineError {
  return new EngineError(
    "PROTECTED",
    `${urn} is protected, but would have to be deleted. Take the option protect off first.`,
  );
}
