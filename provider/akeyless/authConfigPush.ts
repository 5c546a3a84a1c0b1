import { isProviderError, ProviderError, type ProviderErrorCode } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";
import { mint } from "../token/tokenProof.ts";
import type { AkeylessApi } from "./api/api.ts";
import { type AuthConfig, differences, foreignFields, isOwn, type LiveConfig } from "./authConfigFields.ts";

/** How a login proves a pushed config. */
export interface LoginProof {
  /** URL of the gateway's Configuration Manager. */
  readonly gatewayUrl?: string;
  /** ServiceAccount that logs in, as NAMESPACE/NAME. @default no login */
  readonly proofAccount?: string;
  /** Audience of its token. @default the API server's own */
  readonly proofAudience?: string;
}

export interface Push {
  readonly config: AuthConfig;
  /** The config of the state, which is restored if the new one does not work. Undefined for the first push. */
  readonly previous?: AuthConfig;
  readonly proof: LoginProof;
}

export function findConfig(api: AkeylessApi, name: string): Promise<LiveConfig | undefined> {
  return api.find("/gateway-get-k8s-auth-config", { name });
}

/**
 * Pushes a config to a gateway in one call, so that there is a valid config at any time. Proves it by reading it back, and by a login if
 * `proofAccount` is set. If the gateway returns other fields or refuses the login, the previous config is restored. If the gateway does not
 * decide about the login, the new config stays.
 *
 * @returns the gateway's id of the config
 * @throws ProviderError AKEYLESS_NAME_TAKEN, AKEYLESS_NOT_TAKEN, AKEYLESS_LOGIN_REFUSED, AKEYLESS_LOGIN_UNPROVED, and those of
 *   {@link AkeylessApi.call}
 */
export async function pushConfig(api: AkeylessApi, push: Push, context: Context): Promise<string> {
  const { config, previous } = push;
  const name = String(config.name);
  const live = await findConfig(api, name);
  if (live !== undefined && previous === undefined && !isOwn(config, live)) throw nameTaken(api, name, config, live);
  if (live === undefined) await api.call("/gateway-create-k8s-auth-config", config, "once");
  else if (differences(config, live).length > 0) await replace(api, config);
  try {
    const id = await readBack(api, config);
    await proveLogin(api, push, context);
    return id;
  } catch (error) {
    if (!isProviderError(error, "AKEYLESS_NOT_TAKEN", "AKEYLESS_LOGIN_REFUSED")) throw error;
    throw await rollBack(api, push, live === undefined, error);
  }
}

/** Sends every field, since an update replaces the whole config. The field `new-name` is required even if it is the same. */
async function replace(api: AkeylessApi, config: AuthConfig): Promise<void> {
  await api.call("/gateway-update-k8s-auth-config", { ...config, "new-name": config.name }, "repeatable");
}

async function readBack(api: AkeylessApi, config: AuthConfig): Promise<string> {
  const live = await findConfig(api, String(config.name));
  const wrong = live === undefined ? ["name"] : differences(config, live);
  if (wrong.length === 0) return typeof live?.id === "string" ? live.id : "";
  throw new ProviderError(
    "AKEYLESS_NOT_TAKEN",
    `${api.endpoint.url} accepted the auth config "${config.name}", but returns another ${wrong.join(", ")}.`,
    "Check that nothing else writes this config, and the gateway's log.",
  );
}

async function proveLogin(api: AkeylessApi, { config, proof }: Push, context: Context): Promise<void> {
  if (!proof.proofAccount) return;
  const [namespace = "", serviceAccountName = ""] = proof.proofAccount.split("/");
  using client = await context.deployer.client(context);
  const jwt = await mint(client, { namespace, serviceAccountName }, proof.proofAudience || undefined, context);
  if (jwt === undefined) {
    context.log.warn(
      `The auth config "${config.name}" was not proved by a login: the deployer may not request a token.`,
    );
    return;
  }
  const gatewayUrl = proof.gatewayUrl || new URL(api.endpoint.url).origin;
  const login = {
    "access-type": "k8s",
    "access-id": config["access-id"],
    "gateway-url": gatewayUrl,
    "k8s-auth-config-name": config.name,
    "k8s-service-account-token": Buffer.from(jwt).toString("base64"),
  };
  try {
    const { token } = await api.callWithoutSession("/auth", login, { token: "string" });
    if (token) return;
  } catch (error) {
    if (isProviderError(error, "AKEYLESS_UNAUTHORIZED", "AKEYLESS_FORBIDDEN") || isRefusal(error)) {
      throw loginRefused(proof.proofAccount, config, error.message);
    }
    if (!isProviderError(error, ...undecided)) throw error;
    throw new ProviderError(
      "AKEYLESS_LOGIN_UNPROVED",
      `The auth config "${config.name}" is at the gateway, but ServiceAccount ${proof.proofAccount} could not try to log in by it: ${error.message}`,
      `The login named ${gatewayUrl}, which must be the URL of the gateway's Configuration Manager (port 8000, with its path if a proxy adds one). Set gatewayUrl, and run up again.`,
    );
  }
  throw loginRefused(proof.proofAccount, config, "The answer held no token.");
}

/** Whether the message of another status says that the review failed. Gateways differ in the status of a failed review. */
function isRefusal(error: unknown): error is ProviderError {
  const isOpen = isProviderError(error, "AKEYLESS_INVALID", "AKEYLESS_FAILED");
  return isOpen && /token ?review|validate token|unauthori[sz]ed|mismatch|signature/i.test(error.message);
}

/** Answers to a login that say nothing about the config. */
const undecided: readonly ProviderErrorCode[] = [
  "AKEYLESS_INVALID",
  "AKEYLESS_WRONG_API",
  "AKEYLESS_NOT_FOUND",
  "AKEYLESS_NOT_JSON",
  "AKEYLESS_STATUS",
  "AKEYLESS_FAILED",
];

function loginRefused(account: string, config: AuthConfig, why: string): ProviderError {
  return new ProviderError(
    "AKEYLESS_LOGIN_REFUSED",
    `ServiceAccount ${account} cannot log in by the auth config "${config.name}": ${why}`,
    "Check that the gateway reaches the API server, and what the auth method is bound to.",
  );
}

/** Restores the previous state of the gateway, and adds the result to the error. */
async function rollBack(api: AkeylessApi, { config, previous }: Push, created: boolean, error: ProviderError) {
  const restored = created ? undefined : previous;
  try {
    if (restored !== undefined && restored.name === config.name) await replace(api, restored);
    else if (created) await api.remove("/gateway-delete-k8s-auth-config", { name: config.name });
  } catch (failure) {
    const failed = restored ? "The previous config could not be restored" : "It could not be deleted";
    return new ProviderError(error.code, `${error.message} ${failed}: ${(failure as Error).message}`);
  }
  const done = restored ? "The previous config is restored." : created ? "It was deleted." : "It stays as it is.";
  return new ProviderError(error.code, `${error.message} ${done}`);
}

function nameTaken(api: AkeylessApi, name: string, config: AuthConfig, live: LiveConfig): ProviderError {
  const other = foreignFields(config, live);
  return new ProviderError(
    "AKEYLESS_NAME_TAKEN",
    `${api.endpoint.url} has an auth config "${name}" already, with another ${other.join(", ") || "owner"}.`,
    "Choose another name, or delete that config first if nothing logs in by it.",
  );
}
