import { isProviderError, ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import type { Changes, Context, Resource, State } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import {
  type ApiInputs,
  apiFor,
  apiOutputs,
  checkEndpoint,
  checkName,
  samePath,
  storedApi,
  storedEndpoint,
} from "./api/endpoint.ts";
import { changed, changedPaths, commonChanges, notImportable, orphanWarning, readForRefresh } from "./api/object.ts";
import type { Shaped } from "./api/shape.ts";
import {
  type AuthMethodSettings,
  authMethodInputs,
  authMethodOutputs,
  type LiveMethod,
  methodBody,
  methodDifferences,
  methodShape,
  noBounds,
  updatableFields,
} from "./authMethodFields.ts";
import { base64OfPem, isSamePublicKey, readPublicKey } from "./keyEncoding.ts";

export interface AuthMethodInputs extends ApiInputs, AuthMethodSettings {}

export interface AuthMethodOutputs extends ApiInputs {
  readonly name: string;
  readonly accessId: string;
  readonly privateKey: string;
  readonly drift: readonly string[];
}

type MethodState = State<AuthMethodInputs, AuthMethodOutputs>;

/**
 * An auth method for Kubernetes. A new name or other bounds keep access id and key. A change between a generated key and the user's own key
 * replaces the method. The new one is created before the old one is deleted, so it needs another name.
 */
export const akeylessAuthMethod: Resource<AuthMethodInputs, AuthMethodOutputs> = {
  type: "k8sauth:index:AkeylessAuthMethod",
  inputs: authMethodInputs,
  outputs: authMethodOutputs,

  check({ known }) {
    return [
      ...checkEndpoint("apiUrl", known.apiUrl, known.caPem),
      ...checkName("name", known.name),
      ...checkKey(known.publicKey),
    ];
  },

  async create(inputs, context) {
    const api = apiFor(inputs, context);
    const { accessId, privateKey } = await createMethod(api, inputs, context);
    return { id: accessId, outputs: { ...apiOutputs(inputs), name: inputs.name, accessId, privateKey, drift: [] } };
  },

  async previewCreate({ known, unknown }) {
    const ownKey = known.publicKey !== undefined || unknown.has("publicKey");
    const outputs = { ...apiOutputs(known), name: known.name, drift: [], ...(ownKey ? { privateKey: "" } : {}) };
    return { outputs };
  },

  async diff(state, { known, unknown }) {
    return {
      ...changed(updatableFields, state.inputs, known, unknown),
      ...changedPaths(["name"], state.inputs, known, unknown),
      ...commonChanges(state, known, unknown),
      ...keyChange(state.inputs.publicKey, known.publicKey, unknown.has("publicKey")),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    const name = unknown.has("name") ? undefined : known.name;
    // A method of another account has another access id.
    const moving = unknown.has("apiUrl") || known.apiUrl !== storedEndpoint(state).apiUrl;
    const outputs = { ...state.outputs, ...apiOutputs(known), name, drift: [] };
    return { outputs: moving ? { ...outputs, accessId: undefined } : outputs };
  },

  async update(state, inputs, context) {
    const api = apiFor(inputs, context);
    const { accessId = state.id, privateKey = "" } = state.outputs;
    const { name, live } = await findCurrent(api, state, inputs.name);
    if (live === undefined && storedEndpoint(state).apiUrl !== inputs.apiUrl) {
      context.log.warn(orphanWarning(`The auth method "${name}"`, storedEndpoint(state).apiUrl));
      return { ...apiOutputs(inputs), name: inputs.name, ...(await createMethod(api, inputs, context)), drift: [] };
    }
    const body = {
      ...methodBody(inputs, { ...noBounds, ...state.inputs }),
      ...(inputs.publicKey === undefined && keepKeyBody(live)),
      name,
      ...(samePath(name, inputs.name) ? {} : { "new-name": inputs.name }),
    };
    await api.call("/auth-method-update-k8s", body, "repeatable");
    return { ...apiOutputs(inputs), name: inputs.name, accessId, privateKey, drift: [] };
  },

  async read(state, context) {
    const { name, accessId } = state.outputs;
    if (name === undefined || accessId === undefined) {
      throw notImportable(
        "An auth method cannot be imported: its private key is shown once, when it is created.",
        "Set its access id and signing key, or declare another auth method.",
      );
    }
    const what = `The auth method "${name}"`;
    const live = await readForRefresh(what, context, () => find(storedApi(state, context), name));
    if (live === "unseen") return { id: state.id, outputs: state.outputs };
    // The name may belong to another method now, with another key.
    if (live === undefined || (live.auth_method_access_id ?? accessId) !== accessId) return undefined;
    const drift = methodDifferences(state.inputs, live);
    if (drift.includes("publicKey")) {
      context.log.warn(
        `${what} has another public key now: no workload can log in with a config that has the key of this stack.`,
      );
    }
    if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
    // Answers never contain the private key, so it comes from the state.
    return { id: state.id, outputs: { ...state.outputs, drift } };
  },

  async delete(state, context) {
    const { name, accessId } = state.outputs;
    const api = storedApi(state, context);
    const live = name === undefined ? undefined : await find(api, name);
    if (live === undefined) return;
    if ((live.auth_method_access_id ?? accessId) !== accessId) {
      context.log.warn(`The auth method "${name}" stays: another auth method has this name now.`);
      return;
    }
    await api.remove("/auth-method-delete", { name });
  },
};

function find(api: AkeylessApi, name: string): Promise<LiveMethod | undefined> {
  return api.find("/auth-method-get", { name }, methodShape);
}

async function createMethod(api: AkeylessApi, inputs: AuthMethodInputs, context: Context) {
  const body = {
    name: inputs.name,
    ...(inputs.publicKey === undefined && { "gen-key": "true" }),
    ...methodBody(inputs),
  };
  const shape = { access_id: "string", prv_key: "string" } as const;
  let created: Shaped<typeof shape>;
  try {
    created = await api.call("/auth-method-create-k8s", body, "once", shape);
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    return { accessId: await adopt(api, inputs, error, context), privateKey: "" };
  }
  const { access_id: accessId, prv_key: privateKey } = created;
  if (!accessId || (inputs.publicKey === undefined && !privateKey)) {
    throw new ProviderError(
      "AKEYLESS_KEY_LOST",
      `${api.endpoint.url} created the auth method "${inputs.name}", but did not return its ${accessId ? "private key" : "access id"}.`,
      "Delete it and run up again, or set publicKey to the public key of your own pair, which cannot get lost.",
    );
  }
  return { accessId, privateKey: inputs.publicKey === undefined ? (privateKey ?? "") : "" };
}

/** Takes over the method that a killed run created, if it has the user's own key. A generated key is lost with such a run. */
async function adopt(
  api: AkeylessApi,
  inputs: AuthMethodInputs,
  error: ProviderError,
  context: Context,
): Promise<string> {
  const { name, publicKey } = inputs;
  const live = await find(api, name);
  const theirs = live?.access_info?.k8s_access_rules?.pub_key;
  const accessId = live?.auth_method_access_id;
  if (publicKey !== undefined && theirs && accessId && isSamePublicKey(publicKey, theirs)) {
    context.log.info(
      `The auth method "${name}" exists already, from an earlier run, and has our key: it is taken over.`,
    );
    if (methodDifferences(inputs, live).length > 0) {
      await api.call("/auth-method-update-k8s", { ...methodBody(inputs, noBounds), name }, "repeatable");
    }
    return accessId;
  }
  const remedy = "Choose another name, or delete that auth method first if nothing logs in by it.";
  if (publicKey === undefined) {
    throw new ProviderError(
      "AKEYLESS_KEY_LOST",
      `${error.message} Its private key was shown once, when it was created.`,
      `${remedy} The key of your own pair (publicKey) cannot get lost.`,
    );
  }
  throw new ProviderError("AKEYLESS_NAME_TAKEN", `${error.message} It has another key.`, remedy);
}

/**
 * Finds the method and its name. The name is already the new one if a run renamed the method and was killed.
 *
 * @throws ProviderError AKEYLESS_NAME_TAKEN if another method has the name
 */
async function findCurrent(api: AkeylessApi, { outputs }: MethodState, wanted: string) {
  const before = outputs.name ?? wanted;
  const named = await find(api, before);
  if (named !== undefined) {
    const { auth_method_access_id: theirs } = named;
    if (theirs && theirs !== outputs.accessId) {
      throw new ProviderError(
        "AKEYLESS_NAME_TAKEN",
        `The auth method "${before}" is ${theirs} now, not ${outputs.accessId} of this stack.`,
        "Run pulumi refresh, which finds that this stack's auth method is gone.",
      );
    }
    return { name: before, live: named };
  }
  const renamed = samePath(before, wanted) ? undefined : await find(api, wanted);
  return renamed?.auth_method_access_id === outputs.accessId ? { name: wanted, live: renamed } : { name: before };
}

/** Fields that keep the key: an update without them could generate a new one, and no config could log in. */
function keepKeyBody(live: LiveMethod | undefined): object {
  const key = live?.access_info?.k8s_access_rules?.pub_key;
  return { "gen-key": "false", ...(key && { "public-key": base64OfPem(key) }) };
}

/** Another key of the user is an update. Only a creation generates a key, so a change from or to a generated key replaces the method. */
function keyChange(before: string | undefined, after: string | undefined, unknown: boolean): Changes {
  if (before === undefined && after === undefined && !unknown) return {};
  if (before === undefined || (after === undefined && !unknown)) return { publicKey: "replace" };
  return after !== undefined && isSamePublicKey(before, after) ? {} : { publicKey: "update" };
}

function checkKey(publicKey: string | undefined): CheckFailure[] {
  if (publicKey === undefined || readPublicKey(publicKey) !== undefined) return [];
  return [{ property: "publicKey", reason: '"publicKey" must be an RSA public key, PEM or base64 of it.' }];
}
