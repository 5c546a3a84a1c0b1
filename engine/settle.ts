import type { Provider } from "./provider.ts";
import type { Providers } from "./providers.ts";
import type { Snapshot } from "./snapshot.ts";
import type { PendingOperation, ResourceState } from "./state.ts";
import type { Urn } from "./urn.ts";

interface Context {
  readonly snapshot: Snapshot;
  readonly preview: boolean;
}

/**
 * Finds out what came of the operations that earlier runs began on a resource and never finished; answers what the
 * resource then is.
 */
export async function settle(
  urn: Urn,
  old: ResourceState | undefined,
  provider: Provider,
  context: Context,
): Promise<ResourceState | undefined> {
  let resource = old;
  for (const operation of context.snapshot.interrupted(urn)) {
    resource = await settleOne(operation, resource, provider, context);
  }
  return resource;
}

async function settleOne(
  operation: PendingOperation,
  old: ResourceState | undefined,
  provider: Provider,
  { snapshot, preview }: Context,
): Promise<ResourceState | undefined> {
  if (operation.type === "updating" && old) {
    snapshot.end(operation);
    const unsure = { ...old, initErrors: ["an update was interrupted"] };
    snapshot.replace(old, unsure);
    return unsure;
  }
  // A preview has to do without the cluster: it shows what is to be done if nothing came of the operation.
  if (preview) return old;
  if (operation.type === "creating") {
    const found = await leftBy(operation, provider, snapshot, old);
    // Not before the outcome is known: until then a state that another step saves has to tell of the operation.
    snapshot.end(operation);
    if (!found) return old;
    if (found.delete) {
      snapshot.adopt(found);
      return old;
    }
    // As if the creation had ended well. What it was to replace, if anything, waits for its deletion.
    if (old?.pendingReplacement) snapshot.remove(old);
    else if (old) snapshot.replace(old, { ...old, delete: true });
    snapshot.adopt(found);
    return found;
  }
  if (operation.type === "deleting" && old?.id) {
    const { id, inputs = {}, outputs = {} } = old;
    const live = await provider.read({ urn: old.urn, id, inputs, outputs });
    snapshot.end(operation);
    if (live) return old;
    snapshot.remove(old);
    return undefined;
  }
  snapshot.end(operation);
  return old;
}

/**
 * Takes up what interrupted creations left of resources that nobody registers any more, so that it is deleted with the
 * rest; other unfinished operations on such resources need nothing more than the deletion itself.
 */
export async function settleCreations(snapshot: Snapshot, providers: Providers): Promise<void> {
  for (const operation of snapshot.content.pending) {
    const { resource } = operation;
    if (operation.type === "creating" && resource.provider) {
      const provider = await providers.get(resource.provider);
      const current = snapshot.current(resource.urn) ?? snapshot.old(resource.urn);
      const found = await leftBy(operation, provider, snapshot, current);
      // A state can't hold two of a name, unless one waits for its deletion: which this one does anyway.
      if (found) snapshot.adopt(current ? { ...found, delete: true } : found);
    }
    snapshot.end(operation);
  }
}

/**
 * The resource that an interrupted creation left, marked for deletion where another one was made in its place since; the
 * Pulumi CLI does that, and leaves the operation in the state. Undefined where nothing was left, or the state knows it.
 */
async function leftBy(
  { resource }: PendingOperation,
  provider: Provider,
  snapshot: Snapshot,
  current: ResourceState | undefined,
): Promise<ResourceState | undefined> {
  const rival = current?.pendingReplacement ? undefined : current;
  const found = await provider.find?.(resource.urn, resource.inputs ?? {}, rival?.outputs);
  if (!found) return undefined;
  const { superseded, ...created } = found;
  const isKnown = ({ urn, id, pendingReplacement }: ResourceState) =>
    urn === resource.urn && id === created.id && !pendingReplacement;
  if (snapshot.content.resources.some(isKnown)) return undefined;
  return { ...resource, ...created, ...(superseded && { delete: true }) };
}
