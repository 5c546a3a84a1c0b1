import { cancelled, EngineError, messageOf } from "./errors.ts";
import type { Changes, Operation } from "./events.ts";
import { limiter } from "./limit.ts";
import { idleHandler } from "./monitor.ts";
import { withSecretOutputs } from "./newState.ts";
import { openSession, type Session, type StackOptions } from "./session.ts";
import type { Snapshot } from "./snapshot.ts";
import { dependenciesOf, type ResourceState, withoutDangling } from "./state.ts";
import { isProviderType } from "./urn.ts";
import { changedKeys } from "./values.ts";

export interface RefreshOptions extends StackOptions {
  /** Shows what differs and leaves the state as it is. */
  readonly preview: boolean;
}

/**
 * Reads every resource as it really is and puts that in the state; what is gone leaves it. Nothing in the cluster
 * changes: the next `up` brings it back to what the program says.
 */
export async function refresh(options: RefreshOptions): Promise<{ changes: Changes }> {
  options.signal?.throwIfAborted();
  const session = await openSession({ ...options, handler: idleHandler });
  const cancel = () => void session.providers.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  if (options.signal?.aborted) cancel();
  try {
    const snapshot = await session.snapshot;
    const changes: Changes = {};
    const errors = new Map<string, string>();
    const limit = limiter(session.parallel);
    await Promise.all(
      snapshot.remaining.filter(isReadable).map((resource) =>
        limit(async () => {
          if (options.signal?.aborted) return;
          try {
            await refreshOne(resource, snapshot, session, changes);
          } catch (error) {
            errors.set(resource.urn, messageOf(error));
          }
        }),
      ),
    );
    if (options.signal?.aborted) throw cancelled();
    for (const operation of snapshot.content.pending) {
      // What was found or not found above settles all but creations, which the next `up` looks for.
      if (operation.type !== "creating" && !errors.has(operation.resource.urn)) snapshot.end(operation);
    }
    trimDangling(snapshot);
    if (!options.preview) await snapshot.save();
    if (errors.size > 0) {
      const lines = [...errors].map(([urn, message]) => `${urn}: ${message}`);
      throw new EngineError("DEPLOYMENT_FAILED", lines.join("\n"));
    }
    return { changes };
  } catch (error) {
    throw session.mask.error(error);
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    await session.close();
  }
}

function isReadable(resource: ResourceState): boolean {
  return (
    resource.custom &&
    !isProviderType(resource.type) &&
    !!resource.id &&
    !!resource.provider &&
    !resource.pendingReplacement
  );
}

async function refreshOne(
  resource: ResourceState,
  snapshot: Snapshot,
  { providers, emit }: Session,
  changes: Changes,
): Promise<void> {
  const { urn, id = "", inputs = {}, outputs = {} } = resource;
  const provider = await providers.get(resource.provider as string);
  const live = await provider.read({ urn, id, inputs, outputs });
  const count = (operation: Operation, diffs: readonly string[]) => {
    changes[operation] = (changes[operation] ?? 0) + 1;
    emit({ kind: "step", state: "done", operation, urn, diffs, replaces: [] });
  };
  if (!live) {
    snapshot.remove(resource);
    count("delete", []);
    return;
  }
  const marked = withSecretOutputs(live.outputs, live.inputs, resource.additionalSecretOutputs ?? []);
  const diffs = live.drift ?? [...new Set([...changedKeys(outputs, marked), ...changedKeys(inputs, live.inputs)])];
  const changed = diffs.length > 0;
  snapshot.replace(resource, {
    ...resource,
    inputs: live.inputs,
    outputs: marked,
    ...(changed && { modified: new Date().toISOString() }),
  });
  count(changed ? "update" : "same", diffs);
}

function trimDangling(snapshot: Snapshot): void {
  const before = [...snapshot.remaining];
  const after = withoutDangling(before);
  before.forEach((resource, index) => {
    const trimmed = after[index] as ResourceState;
    if (dependenciesOf(resource).size !== dependenciesOf(trimmed).size) snapshot.replace(resource, trimmed);
  });
}
