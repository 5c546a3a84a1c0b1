import { cancelled, EngineError, messageOf } from "./errors.ts";
import type { Changes, Drift, Operation } from "./events.ts";
import { limiter } from "./limit.ts";
import { idleHandler } from "./monitor.ts";
import { withSecretOutputs } from "./newState.ts";
import type { Providers } from "./providers.ts";
import { openSession, type Session, type StackOptions } from "./session.ts";
import type { Snapshot } from "./snapshot.ts";
import { dependenciesOf, type ResourceState, withoutDangling } from "./state.ts";
import { isProviderType, type Urn } from "./urn.ts";
import { changedKeys, type Value } from "./values.ts";

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
    const { changes } = await refreshState(session, await session.snapshot, options);
    return { changes };
  } catch (error) {
    throw session.mask.error(error);
  } finally {
    options.signal?.removeEventListener("abort", cancel);
    await session.close();
  }
}

/**
 * The same within a session that goes on with another operation: a preview sees what is real, and writes nothing down.
 * Throws for what could not be read; the state then has the rest.
 */
export async function refreshState(
  { providers, parallel, emit }: Pick<Session, "providers" | "parallel" | "emit">,
  snapshot: Snapshot,
  { signal, preview }: Pick<RefreshOptions, "signal" | "preview">,
): Promise<{ changes: Changes; drift: readonly Drift[] }> {
  const changes: Changes = {};
  const drift: Drift[] = [];
  const errors = new Map<string, string>();
  const limit = limiter(parallel);
  const count = (operation: Operation, urn: Urn, diffs: readonly string[]) => {
    changes[operation] = (changes[operation] ?? 0) + 1;
    if (operation !== "same") drift.push({ urn, gone: operation === "delete", diffs });
    emit({ kind: "step", state: "done", operation, urn, diffs, replaces: [], drift: true });
  };
  await Promise.all(
    snapshot.remaining.filter(isReadable).map((resource) =>
      limit(async () => {
        if (signal?.aborted) return;
        try {
          await refreshOne(resource, snapshot, providers, count);
        } catch (error) {
          errors.set(resource.urn, messageOf(error));
        }
      }),
    ),
  );
  if (signal?.aborted) throw cancelled();
  for (const operation of snapshot.content.pending) {
    // What was found or not found above settles all but creations, which the next `up` looks for.
    if (operation.type !== "creating" && !errors.has(operation.resource.urn)) snapshot.end(operation);
  }
  trimDangling(snapshot);
  if (!preview) await snapshot.save();
  if (errors.size > 0) {
    const lines = [...errors].map(([urn, message]) => `${urn}: ${message}`);
    throw new EngineError("DEPLOYMENT_FAILED", lines.join("\n"));
  }
  return { changes, drift };
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
  count: (operation: Operation, urn: Urn, diffs: readonly string[]) => void,
): Promise<void> {
  const { urn, id = "", inputs = {}, outputs = {} } = resource;
  const provider = await providers.get(resource.provider as string);
  const live = await provider.read({ urn, id, inputs, outputs });
  if (!live) {
    snapshot.remove(resource);
    count("delete", urn, []);
    return;
  }
  const marked = withSecretOutputs(live.outputs, live.inputs, resource.additionalSecretOutputs ?? []);
  const keys = () => [...new Set([...changedKeys(outputs, marked), ...changedKeys(inputs, live.inputs)])];
  const diffs = live.drift ?? keys().flatMap((key) => (key === "drift" ? listed(live.outputs.drift) : key));
  const changed = diffs.length > 0;
  snapshot.replace(resource, {
    ...resource,
    inputs: live.inputs,
    outputs: marked,
    ...(changed && { modified: new Date().toISOString() }),
  });
  count(changed ? "update" : "same", urn, diffs);
}

/** This project's plugin has an output `drift`, where what differs is no output itself: it lists the names of that. */
function listed(drift: Value | undefined): string[] {
  const names = Array.isArray(drift) ? drift.filter((name) => typeof name === "string") : [];
  return names.length > 0 ? names : ["drift"];
}

function trimDangling(snapshot: Snapshot): void {
  const before = [...snapshot.remaining];
  const after = withoutDangling(before);
  before.forEach((resource, index) => {
    const trimmed = after[index] as ResourceState;
    if (dependenciesOf(resource).size !== dependenciesOf(trimmed).size) snapshot.replace(resource, trimmed);
  });
}
