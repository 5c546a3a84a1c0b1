import { createHash } from "node:crypto";
import type { Context, Resource, State } from "../protocol/resource.ts";
import { AkeylessApi } from "./api/api.ts";
import { checkEndpoint, samePath } from "./api/endpoint.ts";
import { changed, notImportable, readForRefresh } from "./api/object.ts";
import {
  type AuthConfig,
  authConfigInputs,
  authConfigOutputs,
  checkConfig,
  differences,
  kindOf,
} from "./authConfigFields.ts";
import { findConfig, type LoginProof, pushConfig } from "./authConfigPush.ts";

export interface AuthConfigInputs extends LoginProof {
  readonly gatewayApi: string;
  readonly caPem?: string;
  readonly config: AuthConfig;
}

export interface AuthConfigOutputs {
  readonly gatewayApi: string;
  readonly caPem: string;
  readonly name: string;
  readonly accessId: string;
  readonly kind: string;
  readonly configId: string;
  readonly configSha256: string;
  readonly drift: readonly string[];
}

type ConfigState = State<AuthConfigInputs, AuthConfigOutputs>;

/** A gateway's auth config. One call updates its content. Another name is a replacement: the new config is created first. */
export const akeylessGatewayAuthConfig: Resource<AuthConfigInputs, AuthConfigOutputs> = {
  type: "k8sauth:index:AkeylessGatewayAuthConfig",
  inputs: authConfigInputs,
  outputs: authConfigOutputs,

  check({ known, unknown }) {
    const { proofAccount, config } = known;
    return [
      ...checkEndpoint("gatewayApi", known.gatewayApi, known.caPem),
      ...checkEndpoint("gatewayUrl", known.gatewayUrl, undefined),
      ...(config && !unknown.has("config") ? checkConfig(config) : []),
      ...(proofAccount && !/^[^/]+\/[^/]+$/.test(proofAccount)
        ? [{ property: "proofAccount", reason: '"proofAccount" must be NAMESPACE/NAME.' }]
        : []),
    ];
  },

  async create(inputs, context) {
    const configId = await pushConfig(apiOf(inputs, context), { config: inputs.config, proof: inputs }, context);
    return { id: String(inputs.config.name), outputs: { ...outputsOf(inputs), configId } };
  },

  async previewCreate({ known, unknown }) {
    return {
      outputs: known.config && !unknown.has("config") ? outputsOf(known) : { ...outputsOf(known), ...unknownOutputs },
    };
  },

  // Only a refresh reads the config from the gateway. A preview sends no request.
  async diff(state, { known, unknown }) {
    const { config } = known;
    const before = state.inputs.config;
    const names = [config?.name, before?.name].filter((name) => typeof name === "string");
    const renamed = names.length === 2 && !samePath(names[0], names[1]);
    return {
      ...changed(["gatewayApi", "config"], state.inputs, known, unknown),
      ...(state.outputs.drift?.length ? { config: "update" as const } : {}),
      ...(renamed ? { config: "replace" as const } : {}),
    };
  },

  async previewUpdate(state, { known, unknown }) {
    const { gatewayApi, caPem, ...rest } = outputsOf(known);
    const content = unknown.has("config") ? { configSha256: undefined, accessId: rest.accessId } : rest;
    return { outputs: { ...state.outputs, gatewayApi, caPem, ...content } };
  },

  async update(state, inputs, context) {
    const api = apiOf(inputs, context);
    const moved = state.outputs.gatewayApi !== undefined && state.outputs.gatewayApi !== inputs.gatewayApi;
    const previous = moved ? undefined : (state.inputs.config ?? inputs.config);
    const configId = await pushConfig(api, { config: inputs.config, previous, proof: inputs }, context);
    // Gateways differ in whether a name with and without its leading slash is the same name.
    const respelled = state.outputs.name !== undefined && state.outputs.name !== inputs.config.name;
    if (moved || respelled) await deleteMoved(state, configId, inputs, context);
    return { ...outputsOf(inputs), configId };
  },

  async read(state, context) {
    const { config } = state.inputs;
    const name = state.outputs.name ?? config?.name;
    if (config === undefined || name === undefined) {
      throw notImportable(
        "An auth config cannot be imported: a gateway does not return all of it.",
        "Declare it in the program and run up, under another name or after the old one was deleted.",
      );
    }
    const what = `The auth config "${name}" of ${state.outputs.gatewayApi}`;
    const live = await readForRefresh(what, context, () => findConfig(stateApi(state, context), String(name)));
    if (live === undefined) return undefined;
    if (live === "unseen") return { id: state.id, outputs: state.outputs };
    const drift = differences(config, live);
    if (drift.length > 0) context.log.info(`${what} was changed outside this stack: ${drift.join(", ")}.`);
    const configId = typeof live.id === "string" ? live.id : state.outputs.configId;
    return { id: state.id, outputs: { ...state.outputs, configId, drift } };
  },

  async delete(state, context) {
    const name = state.outputs.name ?? state.id;
    await stateApi(state, context).remove("/gateway-delete-k8s-auth-config", { name });
  },
};

/** Outputs of a config that a preview does not know yet. */
const unknownOutputs = { configSha256: undefined, configId: undefined } as const;

/** The outputs that follow from the inputs. */
function outputsOf(inputs: Partial<AuthConfigInputs>): Omit<AuthConfigOutputs, "configId"> {
  const { gatewayApi, caPem = "", config = {} } = inputs;
  const sorted = Object.entries(config).sort(([left], [right]) => (left < right ? -1 : 1));
  return {
    gatewayApi: gatewayApi as string,
    caPem,
    name: config.name as string,
    accessId: config["access-id"] as string,
    kind: kindOf(config),
    configSha256: createHash("sha256").update(JSON.stringify(sorted)).digest("hex"),
    drift: [],
  };
}

function apiOf({ gatewayApi, caPem }: AuthConfigInputs, context: Context): AkeylessApi {
  return new AkeylessApi({ url: gatewayApi, caPem }, context, { timeoutMs: context.timeoutMs });
}

/** The gateway that has the config, by the state. The CA comes from the inputs, since it may have changed. */
function stateApi(state: ConfigState, context: Context): AkeylessApi {
  const { gatewayApi = "", caPem } = state.outputs;
  return apiOf({ gatewayApi, caPem: state.inputs.caPem ?? caPem, config: {} }, context);
}

/** Deletes the config at the old gateway or name, unless its id shows that it is the new config. */
async function deleteMoved(
  state: ConfigState,
  configId: string,
  { gatewayApi: now, config }: AuthConfigInputs,
  context: Context,
): Promise<void> {
  const { name = "", gatewayApi } = state.outputs;
  const old = stateApi(state, context);
  const stays = `The auth config "${name}" stays at ${gatewayApi}`;
  try {
    const live = await findConfig(old, name);
    if (live === undefined || live.id === configId) return;
    if (configId !== "" && typeof live.id === "string") {
      await old.remove("/gateway-delete-k8s-auth-config", { name });
      return;
    }
    context.log.warn(`${stays}: it may be the same as "${config.name}" at ${now}, because the gateway returns no ids.`);
  } catch (error) {
    context.log.warn(`${stays}. ${(error as Error).message}`);
  }
}
