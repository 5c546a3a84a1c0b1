import { randomBytes } from "node:crypto";
import { isKubeError, isUnreachable, KubeClient, type KubeObject, loadConnection, pathFor } from "../../kube/index.ts";
import { messageOf, unsupported } from "../errors.ts";
import {
  type CheckRequest,
  type CheckResult,
  type Created,
  type CreateRequest,
  type DeleteRequest,
  type DiffRequest,
  type DiffResult,
  type Found,
  InitFailed,
  OutcomeUnknown,
  type Provider,
  type ReadRequest,
  type ReadResult,
  type UpdateRequest,
} from "../provider.ts";
import { typeOf, type Urn } from "../urn.ts";
import { containsUnknown, isObject, type Properties, type Value } from "../values.ts";
import { checkProviderConfig, configOf, diffProviderConfig, type KubernetesConfig } from "./config.ts";
import { changedPaths, covers, diffObjects } from "./diff.ts";
import { creationManager, type ManagedFields, takenOver } from "./managedFields.ts";
import { idOf, parseId, withNames } from "./naming.ts";
import { type KubernetesObject, madeAt, markSecrets, objectOf, prune, valueAt } from "./objects.ts";
import { refusals } from "./refusals.ts";
import { awaitGone, awaitReady } from "./waits.ts";

/** Kinds that the engine knows to make, change, wait for and delete as Pulumi's own provider does. */
const carried = new Set([
  "ClusterRole",
  "ClusterRoleBinding",
  "ConfigMap",
  "Deployment",
  "Namespace",
  "NetworkPolicy",
  "PodDisruptionBudget",
  "Role",
  "RoleBinding",
  "Secret",
  "Service",
  "ServiceAccount",
]);

/** For how long a request may go on after a cancellation, in milliseconds. */
const cancelGrace = 1_000;

/** For how long a preview asks the API server before it does without it, in milliseconds. */
const previewDeadline = 1_500;

/**
 * Kubernetes objects, managed as `pulumi-resource-kubernetes` manages them: made by POST, changed by server-side apply,
 * with the same ids, names and state, so that either goes on with what the other made.
 */
export class KubernetesProvider implements Provider {
  readonly supportsPreview = true;
  readonly #env: NodeJS.ProcessEnv;
  /** Ends waits. */
  readonly #cancelled = new AbortController();
  /** Ends requests: only when one outlasts the time that a cancelled run has, or the run. */
  readonly #ended = new AbortController();
  #config: KubernetesConfig = {};
  #client: Promise<KubeClient> | undefined;
  #unreachable = false;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  async checkConfig(request: CheckRequest): Promise<CheckResult> {
    return checkProviderConfig(request);
  }

  diffConfig(request: DiffRequest): Promise<DiffResult> {
    return diffProviderConfig(request, this.#env);
  }

  async configure(inputs: Properties): Promise<void> {
    this.#config = configOf(inputs);
    this.#client = this.#connect();
    this.#client.catch(() => {}); // Whoever needs the cluster gets the error.
  }

  async check({ urn, olds, news }: CheckRequest): Promise<CheckResult> {
    const kind = String(news.kind);
    const declared = typeOf(urn).split(":").at(-1);
    if (kind !== declared || !carried.has(kind)) throw unsupported(`the Kubernetes type ${typeOf(urn)}`, urn);
    const failures = refusals(news);
    if (failures.length > 0) return { inputs: news, failures };
    const inputs = withNames(urn, news, olds, await this.#defaultNamespace());
    return { inputs: markSecrets(inputs, inputs), failures: [] };
  }

  async diff(request: DiffRequest): Promise<DiffResult> {
    return diffObjects(request);
  }

  async create({ inputs, preview }: CreateRequest): Promise<Created> {
    const fieldManager = `${creationManager}-${randomBytes(4).toString("hex")}`;
    const outputs = (live: KubeObject) =>
      liveOutputs(live, inputs, { manager: fieldManager, apiVersion: inputs.apiVersion });
    if (preview) {
      const forecast = await this.#forecast(inputs, (client, object, path) =>
        client.create(path, object, { fieldManager: creationManager, dryRun: true, timeoutMs: previewDeadline }),
      );
      return { id: "", outputs: forecast ? outputs(withoutStatus(forecast)) : inputs };
    }
    const object = objectOf(inputs);
    const client = await this.#reach();
    let live = await this.#post(client, object);
    const id = idOf(live.metadata as KubernetesObject["metadata"]);
    try {
      live = await awaitReady(client, live, this.#cancelled.signal);
    } catch (error) {
      throw new InitFailed(id, outputs(live), [(error as Error).message]);
    }
    return { id, outputs: outputs(live) };
  }

  /** An object by the name that the interrupted creation was about to use, if it is the one that was to be made. */
  async find(_urn: Urn, inputs: Properties, current?: Properties): Promise<Found | undefined> {
    const object = objectOf(inputs);
    if (!object.metadata.name) return undefined;
    const live = await (await this.#reach()).find(pathOf(object));
    if (!live || !isOurs(live, inputs)) return undefined;
    const manager = `${creationManager}-${randomBytes(4).toString("hex")}`;
    const outputs = liveOutputs(live, inputs, { manager, apiVersion: inputs.apiVersion });
    const superseded = current !== undefined && madeAt(outputs) <= madeAt(current);
    return { id: idOf(live.metadata as KubernetesObject["metadata"]), outputs, superseded };
  }

  async update({ id, oldOutputs, newInputs, preview }: UpdateRequest): Promise<Properties> {
    const manager = String(oldOutputs.__fieldManager ?? `${creationManager}-${randomBytes(4).toString("hex")}`);
    const outputs = (live: KubeObject) =>
      liveOutputs(live, newInputs, { manager, apiVersion: oldOutputs.__initialApiVersion ?? newInputs.apiVersion });
    if (preview) {
      // What the creating manager owns is handed over first in a real update; a dry run has to force instead.
      const forecast = await this.#forecast(newInputs, (client, object) =>
        client.apply(pathOf(object), object, {
          fieldManager: manager,
          force: true,
          dryRun: true,
          timeoutMs: previewDeadline,
        }),
      );
      return forecast ? outputs(forecast) : newInputs;
    }
    const object = objectOf(newInputs);
    const client = await this.#reach();
    await this.#takeOver(client, pathOf(object), manager);
    let live = await client.apply(pathOf(object), object, { fieldManager: manager }).catch((error: unknown) => {
      throw isUncertain(error) ? new OutcomeUnknown(messageOf(error)) : error;
    });
    try {
      live = await awaitReady(client, live, this.#cancelled.signal);
    } catch (error) {
      throw new InitFailed(id, outputs(live), [(error as Error).message]);
    }
    return outputs(live);
  }

  async read({ id, inputs, outputs }: ReadRequest): Promise<ReadResult | undefined> {
    const { namespace, name } = parseId(id);
    const { apiVersion, kind } = objectOf(inputs);
    const live = await (await this.#reach()).find(pathFor(apiVersion, kind, namespace, name));
    if (!live) return undefined;
    const now = markSecrets(prune(live as Value, inputs as Value) as Properties, inputs);
    const kept = { manager: outputs.__fieldManager, apiVersion: outputs.__initialApiVersion ?? apiVersion };
    // The server and its controllers write to every object; that is no difference to what was asked for.
    return { inputs: now, outputs: liveOutputs(live, now, kept), drift: changedPaths(inputs as Value, now as Value) };
  }

  async delete({ id, inputs, outputs }: DeleteRequest): Promise<void> {
    const { namespace, name } = parseId(id);
    const { apiVersion, kind } = objectOf(inputs);
    const client = await this.#reach();
    const path = pathFor(apiVersion, kind, namespace, name);
    const uid = valueAt(outputs.metadata, ["uid"]);
    try {
      const options = { propagationPolicy: "Foreground", ignoreNotFound: true } as const;
      await client.delete(path, typeof uid === "string" ? { ...options, uid } : options);
    } catch (error) {
      // Another object has taken the name since: ours is gone.
      if (isKubeError(error, "KUBE_CONFLICT")) return;
      throw error;
    }
    await awaitGone(client, path, typeof uid === "string" ? uid : undefined, this.#cancelled.signal);
  }

  async cancel(): Promise<void> {
    this.#cancelled.abort(new Error("Cancelled."));
    setTimeout(() => this.#ended.abort(), cancelGrace).unref();
  }

  async close(): Promise<void> {
    this.#ended.abort();
    (await this.#client?.catch(() => undefined))?.close();
  }

  async #connect(): Promise<KubeClient> {
    return new KubeClient(await loadConnection(this.#config, this.#env), { signal: this.#ended.signal });
  }

  #reach(): Promise<KubeClient> {
    if (!this.#client) throw new Error("The provider was not configured.");
    return this.#client;
  }

  async #defaultNamespace(): Promise<string> {
    if (this.#config.namespace) return this.#config.namespace;
    const client = await this.#client?.catch(() => undefined);
    return client?.connection.namespace ?? "default";
  }

  /** Makes an object; where the answer got lost, looks whether it was made. */
  async #post(client: KubeClient, object: KubernetesObject): Promise<KubeObject> {
    try {
      return await client.create(collectionOf(object), object, { fieldManager: creationManager });
    } catch (error) {
      if (!isUncertain(error)) throw error;
      if (isKubeError(error, "KUBE_CANCELLED")) throw new OutcomeUnknown(messageOf(error));
      const live = await client.find(pathOf(object)).catch((lost: Error) => {
        throw new OutcomeUnknown(`${messageOf(error)} Whether it was made is not known: ${lost.message}`);
      });
      if (live && isOurs(live, object)) return live;
      // A request that got stuck on its way may still be carried out.
      throw new OutcomeUnknown(messageOf(error));
    }
  }

  async #takeOver(client: KubeClient, path: string, manager: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const live = await client.get(path);
      const fields = takenOver((live.metadata?.managedFields ?? []) as ManagedFields[], manager);
      if (!fields) return;
      const patch = [
        { op: "replace", path: "/metadata/managedFields", value: fields },
        { op: "replace", path: "/metadata/resourceVersion", value: live.metadata?.resourceVersion },
      ];
      try {
        await client.request("PATCH", path, { body: patch, contentType: "application/json-patch+json" });
        return;
      } catch (error) {
        // Somebody else wrote in between: look again.
        if (!isKubeError(error, "KUBE_CONFLICT") || attempt === 5) throw error;
      }
    }
  }

  /** The server's dry run; undefined where only the inputs can be said: values or namespaces that are not there yet. */
  async #forecast(
    inputs: Properties,
    ask: (client: KubeClient, object: KubernetesObject, collection: string) => Promise<KubeObject>,
  ): Promise<KubeObject | undefined> {
    if (this.#unreachable || containsUnknown(inputs as Value)) return undefined;
    const object = objectOf(inputs);
    try {
      return await ask(await this.#reach(), object, collectionOf(object));
    } catch (error) {
      if (isUnreachable(error) || (error as Error).name !== "KubeError" || isConnectionProblem(error)) {
        this.#unreachable = true;
        return undefined;
      }
      if (isKubeError(error, "KUBE_FORBIDDEN", "KUBE_NOT_FOUND", "KUBE_ALREADY_EXISTS")) return undefined;
      throw error;
    }
  }
}

/** Kubeconfigs and credentials that don't work are somebody else's to report in a preview. */
function isConnectionProblem(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code);
  return code.startsWith("KUBECONFIG_") || code.startsWith("KUBE_TLS_") || code === "KUBE_UNAUTHORIZED";
}

/** Whether the server may have done what it was asked to, although no answer says so. */
function isUncertain(error: unknown): boolean {
  return isKubeError(error, "KUBE_CANCELLED", "KUBE_RESET", "KUBE_TIMEOUT", "KUBE_SERVER_ERROR");
}

function pathOf({ apiVersion, kind, metadata }: KubernetesObject): string {
  return pathFor(apiVersion, kind, metadata.namespace, metadata.name);
}

function collectionOf({ apiVersion, kind, metadata }: KubernetesObject): string {
  return pathFor(apiVersion, kind, metadata.namespace);
}

function isOurs(live: KubeObject, inputs: Properties): boolean {
  const entries = (live.metadata?.managedFields ?? []) as ManagedFields[];
  return entries.some((entry) => entry.manager === creationManager) && covers(live as Value, inputs);
}

/** The state of an object as Pulumi's provider keeps it: all of it, and the inputs that led to it. */
function liveOutputs(
  live: KubeObject,
  inputs: Properties,
  kept: { manager: Value | undefined; apiVersion: Value | undefined },
): Properties {
  const marked = markSecrets(live as Properties, inputs);
  return { ...marked, __inputs: inputs as Value, __initialApiVersion: kept.apiVersion, __fieldManager: kept.manager };
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  return isObject(rest as Value) ? rest : object;
}
