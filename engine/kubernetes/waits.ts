import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient, KubeObject } from "../../kube/index.ts";
import { pathFor } from "../../kube/index.ts";

/** For how long an object may take to become what it should, or to go, in milliseconds; as Pulumi's provider has it. */
const deadline = 10 * 60_000;
/** A token controller that works fills a Secret at once; Pulumi's provider gives it this long. */
const tokenDeadline = 5_000;

/** Set on an object whose maker waits for it by other means. */
const skipAwait = "pulumi.com/skipAwait";

/** Waits until an object serves its purpose; answers it as it then is. Kinds that are ready at once return at once. */
export async function awaitReady(client: KubeClient, live: KubeObject, signal: AbortSignal): Promise<KubeObject> {
  if (live.metadata?.annotations?.[skipAwait] === "true") return live;
  const path = pathFor(String(live.apiVersion), String(live.kind), live.metadata?.namespace, live.metadata?.name);
  const reads = (problem: (object: KubeObject) => string | undefined, limit: number) =>
    until(() => client.get(path), problem, limit, signal);
  if (live.kind === "Secret" && live.type === "kubernetes.io/service-account-token") {
    const empty = (object: KubeObject) =>
      Object.keys((object.data ?? {}) as object).length > 0
        ? undefined
        : "the token controller has not filled the Secret; does its ServiceAccount exist?";
    return reads(empty, tokenDeadline);
  }
  if (live.kind === "Deployment") return reads(rolloutProblem, deadline);
  return live;
}

/** Waits until the object is gone, or another has taken its name. */
export async function awaitGone(
  client: KubeClient,
  path: string,
  uid: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const present = (object: KubeObject | undefined) => {
    if (!object || (uid !== undefined && object.metadata?.uid !== uid)) return undefined;
    const finalizers = (object.metadata?.finalizers ?? []) as string[];
    return `it is still there${finalizers.length > 0 ? `, held by ${finalizers.join(", ")}` : ""}`;
  };
  await until(() => client.find(path), present, deadline, signal);
}

/** What a Deployment still lacks; undefined once all replicas of the present generation are available. */
function rolloutProblem(object: KubeObject): string | undefined {
  const spec = object.spec as { replicas?: number };
  const status = (object.status ?? {}) as {
    observedGeneration?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    replicas?: number;
    conditions?: { type: string; status: string; message?: string }[];
  };
  const wanted = spec.replicas ?? 1;
  const { updatedReplicas = 0, availableReplicas = 0, replicas = 0 } = status;
  const observed = (status.observedGeneration ?? 0) >= Number(object.metadata?.generation ?? 0);
  if (observed && updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= updatedReplicas)
    return undefined;
  const reasons = (status.conditions ?? [])
    .filter((condition) => condition.status !== "True")
    .map(({ message }) => message);
  return [`${availableReplicas} of ${wanted} replicas are available`, ...reasons].filter(Boolean).join("; ");
}

/** Reads until `problem` finds none. Pauses grow from 20 ms to 500 ms. */
async function until<T>(
  read: () => Promise<T>,
  problem: (value: T) => string | undefined,
  limit: number,
  signal: AbortSignal,
): Promise<T> {
  const end = performance.now() + limit;
  for (let pause = 20; ; pause = Math.min(pause * 1.5, 500)) {
    signal.throwIfAborted();
    const value = await read();
    const lacks = problem(value);
    if (lacks === undefined) return value;
    if (performance.now() > end) throw new Error(`After ${limit / 1000} s ${lacks}.`);
    await sleep(pause, undefined, { signal });
  }
}
