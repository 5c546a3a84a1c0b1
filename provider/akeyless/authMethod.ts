import { isProviderError, ProviderError } from "../protocol/errors.ts";
import type { CheckFailure } from "../protocol/fields.ts";
import type { Changes, Context, Resource, State } from "../protocol/resource.ts";
import type { AkeylessApi } from "./api/api.ts";
import {
  type ApiInputs,
  apiFor,
  apiOutputs,
  changed,
  checkEndpoint,
  checkName,
  glance,
  here,
  moved,
  samePath,
  stays,
} from "./api/endpoint.ts";
import type { Shaped } from "./api/shape.ts";
import {
  type AuthMethodSettings,
  authMethodInputs,
  authMethodOutputs,
  changeable,
  type LiveMethod,
  methodBody,
  methodDifferences,
  methodShape,
  open,
} from "./authMethodFields.ts";
import { base64Of, publicKeyDer, samePublicKey } from "./material.ts";

export interface AuthMethodInputs extends ApiInputs, AuthMethodSettings {}

export interface AuthMethodOutputs extends ApiInputs {
  readonly name: string;
  readonly accessId: string;
  readonly privateKey: string;
  readonly drift: readonly string[];
}

type MethodState = State<AuthMethodInputs, AuthMethodOutputs>;

/**
 * An auth method for Kubernetes. A new name or other bounds keep access id and key; another key is another method, made
 * before the old one goes, and so needs another name.
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
    const { accessId, privateKey } = await make(api, inputs, context);
    return { id: accessId, outputs: { ...apiOutputs(inputs), name: inputs.name, accessId, privateKey, drift: [] } };
  },

  async previewCreate({ known, unknown }) {
    const ownKey = known.publicKey !== undefined || unknown.has("publicKey");
    const outputs = { ...apiOutputs(known), name: known.name, drift: [], ...(ownKey ? { privateKey: "" } : {}) };
    return { outputs };
  },

  async diff(state, { known, unknown }) {
    return {
      ...changed(changeable, state.inputs, known, unknown),
      ...moved(["name"], state.inputs, known, unknown),
      ...(state.outputs.drift?.length ? { drift: "update" as const } : {}),
      ...changed(["apiUrl"], state.inputs, known, unknown),
      ...keyChange(state.inputs.publicKey, known.publicKey, unknown.has("publicKey")),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    const name = unknown.has("name") ? undefined : known.name;
    // In another account it gets another access id.
    const moving = unknown.has("apiUrl") || known.apiUrl !== here(state).apiUrl;
    const outputs = { ...state.outputs, ...apiOutputs(known), name, drift: [] };
    return { outputs: moving ? { ...outputs, accessId: undefined } : outputs };
  },

  async update(state, inputs, context) {
    const api = apiFor(inputs, context);
    const { accessId = state.id, privateKey = "" } = state.outputs;
    const { name, live } = await current(api, state, inputs.name);
    if (live === undefined && here(state).apiUrl !== inputs.apiUrl) {
      context.log.warn(stays(`The auth method "${name}"`, here(state).apiUrl));
      return { ...apiOutputs(inputs), name: inputs.name, ...(await make(api, inputs, context)), drift: [] };
    }
    const body = {
      ...methodBody(inputs, { ...open, ...state.inputs }),
      ...(inputs.publicKey === undefined && keptKey(live)),
      name,
      ...(samePath(name, inputs.name) ? {} : { "new-name": inputs.name }),
    };
    await api.call("/auth-method-update-k8s", body, "repeatable");
    return { ...apiOutputs(inputs), name: inputs.name, accessId, privateKey, drift: [] };
  },

  async read(state, context) {
    const { name, accessId } = state.outputs;
    if (name === undefined || accessId === undefined) {
      throw new ProviderError(
        "AKEYLESS_NOT_IMPORTABLE",
        "An auth method cannot be imported: its private key is shown once, when it is made.",
        "Give its access id and signing key as settings, or declare another one.",
      );
    }
    const what = `The auth method "${name}"`;
    const live = await glance(what, context, () => find(apiFor(here(state), context), name));
    if (live === "unseen") return { id: state.id, outputs: state.outputs };
    // Under the name there may be another one by now, whose key nobody here has.
    if (live === undefined || (live.auth_method_access_id ?? accessId) !== accessId) return undefined;
    const drift = methodDifferences(state.inputs, live);
    if (drift.includes("publicKey")) {
      context.log.warn(
        `${what} has another public key by now: configs with the key of this stack cannot log anybody in.`,
      );
    }
    if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
    // The private key is never answered again: it stays as it is.
    return { id: state.id, outputs: { ...state.outputs, drift } };
  },

  async delete(state, context) {
    const { name, accessId } = state.outputs;
    const api = apiFor(here(state), context);
    const live = name === undefined ? undefined : await find(api, name);
    if (live === undefined) return;
    if ((live.auth_method_access_id ?? accessId) !== accessId) {
      context.log.warn(`The auth method "${name}" stays: under this name there is another one by now.`);
      return;
    }
    await api.remove("/auth-method-delete", { name });
  },
};

/** Where the state has it: with the CA of the last run, which need not have changed anything. */
function find(api: AkeylessApi, name: string): Promise<LiveMethod | undefined> {
  return api.find("/auth-method-get", { name }, methodShape);
}

async function make(api: AkeylessApi, inputs: AuthMethodInputs, context: Context) {
  const body = {
    name: inputs.name,
    ...(inputs.publicKey === undefined && { "gen-key": "true" }),
    ...methodBody(inputs),
  };
  const shape = { access_id: "string", prv_key: "string" } as const;
  let made: Shaped<typeof shape>;
  try {
    made = await api.call("/auth-method-create-k8s", body, "once", shape);
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_EXISTS")) throw error;
    return { accessId: await adopt(api, inputs, error, context), privateKey: "" };
  }
  const { access_id: accessId, prv_key: privateKey } = made;
  if (!accessId || (inputs.publicKey === undefined && !privateKey)) {
    throw new ProviderError(
      "AKEYLESS_KEY_LOST",
      `${api.endpoint.url} made the auth method "${inputs.name}", but did not answer its ${accessId ? "private key" : "access id"}.`,
      "Delete it and run up again, or give a public key of your own: then nothing can get lost.",
    );
  }
  return { accessId, privateKey: inputs.publicKey === undefined ? (privateKey ?? "") : "" };
}

/** What a run that was killed has left is ours if it has our key; a key that was generated is lost with such a run. */
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
  if (publicKey !== undefined && theirs && accessId && samePublicKey(publicKey, theirs)) {
    context.log.info(`The auth method "${name}" is left of an earlier run, and has our key: going on with it.`);
    if (methodDifferences(inputs, live).length > 0) {
      await api.call("/auth-method-update-k8s", { ...methodBody(inputs, open), name }, "repeatable");
    }
    return accessId;
  }
  const remedy = "Choose another name, or delete that auth method first if nothing logs in by it.";
  if (publicKey === undefined) {
    throw new ProviderError(
      "AKEYLESS_KEY_LOST",
      `${error.message} Its private key was shown once, to whoever made it.`,
      `${remedy} With a key pair of your own (publicKey) nothing can get lost.`,
    );
  }
  throw new ProviderError("AKEYLESS_NAME_TAKEN", `${error.message} It has another key.`, remedy);
}

/**
 * The method as it is, and its name: the new one already if a run renamed it and was killed.
 *
 * @throws ProviderError AKEYLESS_NAME_TAKEN if another method has the name
 */
async function current(api: AkeylessApi, { outputs }: MethodState, wanted: string) {
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

/** An update that says nothing of the key could generate a new one, by which no config could log in. */
function keptKey(live: LiveMethod | undefined): object {
  const key = live?.access_info?.k8s_access_rules?.pub_key;
  return { "gen-key": "false", ...(key && { "public-key": base64Of(key) }) };
}

/** Another public key of the user's own takes the place of the one before. Only its creation generates an auth method's key. */
function keyChange(before: string | undefined, after: string | undefined, unknown: boolean): Changes {
  if (before === undefined && after === undefined && !unknown) return {};
  if (before === undefined || (after === undefined && !unknown)) return { publicKey: "replace" };
  return after !== undefined && samePublicKey(before, after) ? {} : { publicKey: "update" };
}

function checkKey(publicKey: string | undefined): CheckFailure[] {
  if (publicKey === undefined || publicKeyDer(publicKey) !== undefined) return [];
  return [{ property: "publicKey", reason: '"publicKey" must be an RSA public key, PEM or base64 of it.' }];
}
