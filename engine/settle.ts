import type { Provider } from "./provider.ts";
import type { Providers } from "./providers.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ResourceState } from "./state.ts";
import type { Urn } from "./urn.ts";

/**
 * Finds out what came of an operation that an earlier run began on a resource and never finished; answers what the
 * resource then is.
 */
export async function settle(
  urn: Urn,
  old: ResourceState | undefined,
  provider: Provider,
  { snapshot, preview }: { readonly snapshot: Snapshot; readonly preview: boolean },
): Promise<ResourceState | undefined> {
  const operation = snapshot.interrupted(urn);
  if (!operation) return old;
  if (operation.type === "updating" && old) {
    snapshot.end(operation);
    const unsure = { ...old, initErrors: ["an update was interrupted"] };
    snapshot.replace(old, unsure);
    return unsure;
  }
  // A preview has to do without the cluster: it shows what is to be done if nothing came of the operation.
  if (preview) return old;
  if (operation.type === "creating") {
    const created = await provider.find?.(urn, operation.resource.inputs ?? {});
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
      const created = await provider.find?.(resource.urn, resource.inputs ?? {});
      if (created) snapshot.adopt({ ...resource, ...created });
    }
    snapshot.end(operation);
  }
}
