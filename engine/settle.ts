import type { DiagnosticEvent, EventSink } from "./events.ts";
import type { Provider } from "./provider.ts";
import type { Providers } from "./providers.ts";
import type { Snapshot } from "./snapshot.ts";
import type { PendingOperation, ResourceState } from "./state.ts";
import { formatProviderRef, nameOf, parseProviderRef, typeOf, type Urn } from "./urn.ts";
import { isObject, type Properties } from "./values.ts";

interface Context {
  readonly snapshot: Snapshot;
  readonly preview: boolean;
  /** The provider, as this run refers to it: an earlier one's reference may lead nowhere by now. */
  readonly reference: string;
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
  { snapshot, preview, reference }: Context,
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
    const found = await leftBy(operation, { provider, reference }, snapshot, old);
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
export async function settleCreations(snapshot: Snapshot, providers: Providers, emit: EventSink): Promise<void> {
  for (const operation of snapshot.content.pending) {
    const { urn, inputs, provider: reference } = operation.resource;
    if (operation.type === "creating" && reference) {
      const known = reachable(reference, snapshot, providers);
      const current = snapshot.current(urn) ?? snapshot.old(urn);
      const by = known && { provider: await providers.get(known), reference: known };
      const found = by && (await leftBy(operation, by, snapshot, current));
      // A state can't hold two of a name, unless one waits for its deletion: which this one does anyway.
      if (found) snapshot.adopt({ ...found, ...(current && { delete: true }) });
      if (!known) emit(unreachable(urn, inputs));
    }
    snapshot.end(operation);
  }
}

/** The provider that can look for what was left: the one of then, or the one that goes by its name now. */
function reachable(reference: string, snapshot: Snapshot, providers: Providers): string | undefined {
  if (providers.has(reference)) return reference;
  const { urn } = parseProviderRef(reference);
  const { id } = snapshot.current(urn) ?? snapshot.old(urn) ?? {};
  const now = id && formatProviderRef({ urn, id });
  return now && providers.has(now) ? now : undefined;
}

function unreachable(urn: Urn, inputs: Properties = {}): DiagnosticEvent {
  const { metadata } = inputs;
  const name = isObject(metadata) && typeof metadata.name === "string" ? ` under the name ${metadata.name}` : "";
  return {
    kind: "diagnostic",
    severity: "warning",
    urn,
    ephemeral: false,
    message:
      `An earlier run was interrupted while it made ${nameOf(urn)} (${typeOf(urn)}), and the provider that it was made ` +
      `with is no longer in the state: look yourself whether it was left${name}.`,
  };
}

/**
 * The resource that an interrupted creation left, marked for deletion where another one was made in its place since; the
 * Pulumi CLI does that, and leaves the operation in the state. Undefined where nothing was left, or the state knows it.
 */
async function leftBy(
  { resource }: PendingOperation,
  { provider, reference }: { readonly provider: Provider; readonly reference: string },
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
  return { ...resource, ...created, provider: reference, ...(superseded && { delete: true }) };
}
