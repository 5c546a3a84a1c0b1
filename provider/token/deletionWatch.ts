import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { describeName, type ReservedName } from "../cluster/reservedNames.ts";
import type { Context } from "../protocol/resource.ts";

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly message?: string;
}

interface DeletedObject extends KubeObject {
  readonly spec?: { readonly finalizers?: readonly string[] };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const pauseMs = 2_000;
/** Duration of a deletion before the first message, in milliseconds. Kubernetes deletes a namespace in about six seconds. */
const reportAfterMs = 10_000;
/** Time between two messages, in milliseconds. */
const repeatMs = 5_000;
/** The watch ends if no object is being deleted for this time, in milliseconds. */
const idleMs = 15_000;

/**
 * Reports why the deletion of objects waits: finalizers, and the conditions of a namespace. The Kubernetes plugin deletes the objects. It waits
 * for up to ten minutes and does not say why. The function returns at once. The watch ends with the deletions, the run or the plugin.
 */
export function watchDeletions(objects: readonly ReservedName[], context: Context): void {
  watch(objects, context).catch((error: Error) => {
    context.log.debug(`The deletion of ${objects.map(describeName).join(", ")} is no longer watched. ${error.message}`);
  });
}

async function watch(objects: readonly ReservedName[], context: Context): Promise<void> {
  using client = await context.deployer.client(context);
  const seenAt = new Map<ReservedName, number>();
  let activeAt = performance.now();
  let reportedAt = 0;
  while (performance.now() - activeAt < idleMs) {
    const found = await Promise.all(objects.map((object) => findDeleted(client, object)));
    const now = performance.now();
    const held = objects.flatMap((object, index) => {
      const copy = found[index];
      if (copy === undefined) return [];
      activeAt = now;
      const since = seenAt.get(object) ?? now;
      seenAt.set(object, since);
      const seconds = Math.round((now - since) / 1000);
      return now - since < reportAfterMs
        ? []
        : [`${describeName(object)} is being deleted for ${seconds} s. ${reason(copy)}`];
    });
    if (held.length > 0 && now - reportedAt >= repeatMs) {
      reportedAt = now;
      context.log.info(held.join(" "));
    }
    await sleep(pauseMs, undefined, { signal: context.signal, ref: false });
  }
}

/** Reads an object. Undefined if it is not being deleted. */
async function findDeleted(client: KubeClient, { apiVersion, kind, namespace, name }: ReservedName) {
  const found = await client.find<DeletedObject>(pathFor(apiVersion, kind, namespace, name));
  return found?.metadata?.deletionTimestamp === undefined ? undefined : found;
}

/** Describes why the object's deletion waits, by its finalizers and conditions. */
function reason({ metadata, spec, status }: DeletedObject): string {
  const own = (metadata?.finalizers as readonly string[] | undefined) ?? [];
  // Kubernetes removes its own finalizer of a namespace when the content is deleted.
  const ofNamespace = (spec?.finalizers ?? []).filter((name) => name !== "kubernetes");
  const finalizers = [...own, ...ofNamespace];
  const conditions = (status?.conditions ?? []).filter(
    ({ type = "", status: state }) => /^Namespace/.test(type) && state === "True",
  );
  const reasons = [
    ...(finalizers.length > 0 ? [`finalizers: ${finalizers.join(", ")}`] : []),
    ...conditions.flatMap(({ message }) => (message ? [message.replace(/\.$/, "")] : [])),
  ];
  return reasons.length > 0 ? `It waits for: ${reasons.join("; ")}.` : "It does not say what it waits for.";
}
