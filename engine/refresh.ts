import { limiter } from "./deployment.ts";
import { EngineError, messageOf } from "./errors.ts";
import type { Changes, Operation } from "./events.ts";
import { idleHandler } from "./monitor.ts";
import type { Providers } from "./providers.ts";
import { openSession, type StackOptions } from "./session.ts";
import type { Snapshot } from "./snapshot.ts";
import { dependenciesOf, type ResourceState, withoutDangling } from "./state.ts";
import { isProviderType } from "./urn.ts";
import { changedKeys, type Properties, secret } from "./values.ts";

export interface RefreshOptions extends StackOptions {
  /** Shows what differs and leaves the state as it is. */
  readonly preview: boolean;
}

/**
 * Reads every resource as it really is and puts that in the state; what is gone leaves it. Nothing in the cluster
 * changes: the next `up` brings it back to what the program says.
 */
export async function refresh(options: RefreshOptions): Promise<{ changes: Changes }> {
  const session = await openSession({ ...options, handler: idleHandler });
  const cancel = () => void session.providers.cancel();
  options.signal?.addEventListener("abort", cancel, { once: true });
  try {
    const snapshot = await session.snapshot;
    const changes: Changes = {};
    const errors: string[] = [];
    const limit = limiter(session.parallel);
    await Promise.all(
      snapshot.remaining.filter(isReadable).map((resource) =>
        limit(async () => {
          options.signal?.throwIfAborted();
          try {
            await refreshOne(resource, snapshot, session.providers, options, changes);
          } catch (error) {
            errors.push(`${resource.urn}: ${messageOf(error)}`);
          }
        }),
      ),
    );
    for (const operation of snapshot.content.pending) {
      // What was found or not found above settles all but creations, which the next `up` looks for.
      if (operation.type !== "creating") snapshot.end(operation);
    }
    trimDangling(snapshot);
    if (!options.preview) await snapshot.save();
    if (errors.length > 0) throw new EngineError("DEPLOYMENT_FAILED", errors.join("\n"));
    return { changes };
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
  providers: Providers,
  options: RefreshOptions,
  changes: Changes,
): Promise<void> {
  const { urn, id = "", inputs = {}, outputs = {} } = resource;
  const provider = await providers.get(resource.provider as string);
  const live = await provider.read({ urn, id, inputs, outputs });
  const count = (operation: Operation, diffs: readonly string[]) => {
    changes[operation] = (changes[operation] ?? 0) + 1;
    options.emit({ kind: "step", state: "done", operation, urn, diffs, replaces: [] });
  };
  if (!live) {
    snapshot.remove(resource);
    count("delete", []);
    return;
  }
  const marked = withSecrets(live.outputs, resource.additionalSecretOutputs ?? []);
  const diffs = changedKeys(outputs, marked);
  const changed = diffs.length > 0 || changedKeys(inputs, live.inputs).length > 0;
  snapshot.replace(resource, {
    ...resource,
    inputs: live.inputs,
    outputs: marked,
    ...(changed && { modified: new Date().toISOString() }),
  });
  count(changed ? "update" : "same", diffs);
}

function withSecrets(outputs: Properties, keys: readonly string[]): Properties {
  const marked = Object.entries(outputs).map(([key, value]) =>
    value !== undefined && keys.includes(key) ? [key, secret(value)] : [key, value],
  );
  return Object.fromEntries(marked);
}

function trimDangling(snapshot: Snapshot): void {
  const before = [...snapshot.remaining];
  const after = withoutDangling(before);
  before.forEach((resource, index) => {
    const trimmed = after[index] as ResourceState;
    if (dependenciesOf(resource).size !== dependenciesOf(trimmed).size) snapshot.replace(resource, trimmed);
  });
}
