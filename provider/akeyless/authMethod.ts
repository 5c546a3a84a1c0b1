import { isProviderError, ProviderError } from "../errors.ts";
import type { CheckFailure } from "../fields.ts";
import type { Context, Resource, State } from "../resource.ts";
import type { AkeylessApi, Fields } from "./api.ts";
import {
  type AuthMethodSettings,
  authMethodInputs,
  authMethodOutputs,
  changeable,
  type LiveMethod,
  methodBody,
  methodDifferences,
  open,
} from "./authMethodFields.ts";
import { type ApiInputs, apiFor, apiOutputs, changed, checkEndpoint, checkName, glance } from "./endpoint.ts";
import { publicKeyDer, samePublicKey } from "./material.ts";

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
  description: "An auth method of Akeyless for workloads of a Kubernetes cluster.",
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
      ...(state.outputs.drift?.length ? { drift: "update" as const } : {}),
      ...changed(["apiUrl"], state.inputs, known, unknown, "replace"),
      ...(sameKey(state.inputs.publicKey, known.publicKey, unknown.has("publicKey"))
        ? {}
        : { publicKey: "replace" as const }),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    const name = unknown.has("name") ? undefined : known.name;
    return { outputs: { ...state.outputs, ...apiOutputs(known), name, drift: [] } };
  },

  async update(state, inputs, context) {
    const api = apiFor(inputs, context);
    const { accessId = state.id, privateKey = "" } = state.outputs;
    const name = await nameOf(api, state, inputs.name);
    const body = { ...methodBody(inputs, { ...open, ...state.inputs }), name, "new-name": inputs.name };
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
    if (drift.length > 0) context.log.info(`${what} was changed by somebody else: ${drift.join(", ")}.`);
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
function here({ inputs, outputs }: MethodState): Partial<ApiInputs> {
  return { apiUrl: outputs.apiUrl ?? inputs.apiUrl, caPem: inputs.caPem ?? outputs.caPem };
}

function find(api: AkeylessApi, name: string): Promise<Fields<LiveMethod> | undefined> {
  return api.find<LiveMethod>("/auth-method-get", { name });
}

async function make(api: AkeylessApi, inputs: AuthMethodInputs, context: Context) {
  const body = {
    name: inputs.name,
    ...(inputs.publicKey === undefined && { "gen-key": "true" }),
    ...methodBody(inputs),
  };
  let made: Fields<{ access_id: string; prv_key: string }>;
  try {
    made = await api.call<{ access_id: string; prv_key: string }>("/auth-method-create-k8s", body, "once");
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
      await api.call("/auth-method-update-k8s", { ...methodBody(inputs, open), name, "new-name": name }, "repeatable");
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

/** The name that the method has: the new one already, where a run renamed it and was killed. */
async function nameOf(api: AkeylessApi, { outputs }: MethodState, wanted: string): Promise<string> {
  const before = outputs.name ?? wanted;
  if (before === wanted || (await find(api, before)) !== undefined) return before;
  const renamed = await find(api, wanted);
  return renamed?.auth_method_access_id === outputs.accessId ? wanted : before;
}

function sameKey(before: string | undefined, after: string | undefined, unknown: boolean): boolean {
  if (unknown || (before === undefined) !== (after === undefined)) return false;
  return before === undefined || after === undefined || samePublicKey(before, after);
}

function checkKey(publicKey: string | undefined): CheckFailure[] {
  if (publicKey === undefined || publicKeyDer(publicKey) !== undefined) return [];
  return [{ property: "publicKey", reason: '"publicKey" must be an RSA public key, PEM or base64 of it.' }];
}
