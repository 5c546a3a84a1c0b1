import type { EventSink } from "./events.ts";
import { changeOf } from "./plan.ts";
import type { Providers } from "./providers.ts";
import { protectedResource, removeAll } from "./removal.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ResourceState } from "./state.ts";
import { unknown } from "./values.ts";

interface Context {
  readonly snapshot: Snapshot;
  readonly providers: Providers;
  readonly emit: EventSink;
}

/**
 * Deletes a resource ahead of its replacement, and before it those that can't outlive it. Whether the resource itself may
 * go has been asked already; of the others the program has not spoken yet, so that their state tells.
 */
export async function deleteFirst(root: ResourceState, context: Context): Promise<void> {
  const dependents = await dependentsToReplace(root, context);
  for (const { urn, protect } of dependents) if (protect) throw protectedResource(urn);
  const going = [root, ...dependents];
  for (const resource of going.reverse()) {
    await removeAll({ ...context, resources: [resource], limit: (run) => run(), preview: false, keep: true });
  }
}

/** Those whose own inputs would force their replacement once this resource has another identity. */
async function dependentsToReplace(root: ResourceState, { snapshot, providers }: Context): Promise<ResourceState[]> {
  const gone = new Set([root.urn]);
  const result: ResourceState[] = [];
  for (const resource of snapshot.remaining) {
    if (resource === root || resource.delete || resource.pendingReplacement || !resource.custom) continue;
    const touched = Object.entries(resource.propertyDependencies ?? {})
      .filter(([, urns]) => urns.some((urn) => gone.has(urn)))
      .map(([key]) => [key, unknown]);
    if (touched.length === 0 || !resource.provider) continue;
    const newInputs = { ...resource.inputs, ...Object.fromEntries(touched) };
    const provider = await providers.get(resource.provider);
    const diff = await provider.diff(changeOf(resource, resource.urn, newInputs, []));
    if (diff.replaces.length === 0) continue;
    gone.add(resource.urn);
    result.push(resource);
  }
  return result;
}
