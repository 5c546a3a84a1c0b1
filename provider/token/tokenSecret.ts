import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";

/** A token Secret and its ServiceAccount. */
export interface TokenSecret {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUid: string;
  readonly secretName: string;
  readonly secretUid: string;
}

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * Label of a Secret whose token the API server refuses. Its value is a date. The legacy-service-account-token-cleaner sets it if the
 * ServiceAccount lists the Secret and the token was not used for a long time; without the label the token is valid again.
 *
 * @see https://kubernetes.io/docs/concepts/security/service-accounts/ and KEP-2799
 */
export const invalidSince = "kubernetes.io/legacy-token-invalid-since";

/** Wait before the first change of the Secret that makes the token controller retry, in milliseconds. */
const firstRetryMs = 2_000;
/** Time between two such changes, in milliseconds. The controller's own retries last for 5 s. */
const retryMs = 5_000;
const retryAnnotation = "k8sauth.dev/token-asked-at";

/**
 * Waits until the token controller has written `data.token` of the Secret, and returns it. A controller that has given up on the Secret
 * retries when the Secret changes, so an annotation is set. The label of an invalidated token is removed.
 *
 * @throws ProviderError TOKEN_SECRET_MISSING, TOKEN_SECRET_OTHER, TOKEN_ACCOUNT_MISSING, TOKEN_ACCOUNT_OTHER,
 *   TOKEN_NOT_FILLED at the deadline (context.timeoutMs, 60 s by default)
 */
export async function awaitToken(client: KubeClient, wanted: TokenSecret, context: Context): Promise<string> {
  const limitMs = context.timeoutMs ?? 60_000;
  const started = performance.now();
  const { signal, log } = context;
  let reportedAt = 0;
  let askAt = firstRetryMs;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.6, 1_000)) {
    const secret = await readSecret(client, wanted);
    const data = secret.data?.token;
    if (data) {
      await revalidate(client, wanted, secret, context);
      return Buffer.from(data, "base64").toString("utf8").trim();
    }
    const waitedMs = performance.now() - started;
    if (waitedMs >= limitMs) throw await unfilled(client, wanted, limitMs);
    if (waitedMs >= askAt) {
      askAt = waitedMs + retryMs;
      await triggerRetry(client, wanted, context);
    }
    if (waitedMs - reportedAt >= 1_000) {
      reportedAt = waitedMs;
      log.status(
        `Waiting for the token of Secret ${wanted.namespace}/${wanted.secretName} (${Math.round(waitedMs / 1000)} s of ${Math.round(limitMs / 1000)} s)`,
      );
      await requireAccount(client, wanted);
    }
    const pause = Math.min(pauseMs * (0.75 + Math.random() / 2), limitMs - waitedMs);
    await sleep(pause, undefined, { signal }).catch(() => {
      throw new ProviderError(
        "CANCELLED",
        `The wait for Secret ${wanted.namespace}/${wanted.secretName} was cancelled.`,
      );
    });
  }
}

/**
 * Removes `data.token` from the Secret, so that the token controller writes the account's token again. Only for Secrets of this stack.
 */
export async function emptyToken(client: KubeClient, wanted: TokenSecret): Promise<void> {
  await patch(client, wanted, {}, { data: { token: null } });
}

/** Makes the token of an invalidated Secret valid again, with a warning. Does nothing for other Secrets. */
export async function revalidateToken(client: KubeClient, wanted: TokenSecret, context: Context): Promise<void> {
  await revalidate(client, wanted, await readSecret(client, wanted), context);
}

/** Date of the label since which the API server refuses the Secret's token. Undefined without the label or the Secret. */
export async function invalidatedSince(client: KubeClient, wanted: TokenSecret): Promise<string | undefined> {
  const secret = await client.find<Secret>(secretPath(wanted));
  return secret?.metadata?.uid === wanted.secretUid ? secret.metadata?.labels?.[invalidSince] || undefined : undefined;
}

async function revalidate(client: KubeClient, wanted: TokenSecret, secret: Secret, { log }: Context): Promise<void> {
  const since = secret.metadata?.labels?.[invalidSince];
  if (!since) return;
  await patch(client, wanted, { labels: { [invalidSince]: null } });
  log.warn(
    `The API server refused the token of Secret ${wanted.namespace}/${wanted.secretName} for its label ${invalidSince}: ${since}. The label is removed, and the token is valid again.`,
  );
}

/** Changes the Secret, so that a token controller that has given up on it retries. */
async function triggerRetry(client: KubeClient, wanted: TokenSecret, { log, now }: Context): Promise<void> {
  const name = `Secret ${wanted.namespace}/${wanted.secretName}`;
  try {
    await patch(client, wanted, { annotations: { [retryAnnotation]: new Date(now()).toISOString() } });
    log.info(
      `${name} has no token yet. Its annotation ${retryAnnotation} is set, so that the token controller tries again.`,
    );
  } catch (error) {
    // Without the right to change the Secret the wait continues.
    if (!isKubeError(error, "KUBE_FORBIDDEN", "KUBE_DENIED", "KUBE_INVALID", "KUBE_CONFLICT", "KUBE_NOT_FOUND"))
      throw error;
    log.warn(`${name} has no token yet, and the change that makes the token controller retry failed. ${error.message}`);
  }
}

/** Changes the Secret if it has the expected UID. */
async function patch(client: KubeClient, wanted: TokenSecret, metadata: object, others: object = {}): Promise<void> {
  const body = { metadata: { uid: wanted.secretUid, ...metadata }, ...others };
  await client.request("PATCH", secretPath(wanted), { body, contentType: "application/merge-patch+json" });
}

function secretPath({ namespace, secretName }: TokenSecret): string {
  return pathFor("v1", "Secret", namespace, secretName);
}

async function readSecret(client: KubeClient, wanted: TokenSecret): Promise<Secret> {
  const { namespace, secretName, secretUid } = wanted;
  const secret = await client.find<Secret>(secretPath(wanted));
  if (secret === undefined) {
    await requireAccount(client, wanted);
    throw new ProviderError(
      "TOKEN_SECRET_MISSING",
      `Secret ${namespace}/${secretName} was deleted after this stack created it.`,
      "If its token has leaked, first set another rotation.current: a Secret of the same name gets the same token again. Otherwise run pulumi up --refresh: it creates it again.",
    );
  }
  if (secret.metadata?.uid !== secretUid) {
    throw new ProviderError(
      "TOKEN_SECRET_OTHER",
      `Secret ${namespace}/${secretName} is not this stack's: its UID is ${secret.metadata?.uid}, expected ${secretUid}.`,
      "Run pulumi up --refresh.",
    );
  }
  return secret;
}

async function requireAccount(client: KubeClient, wanted: TokenSecret): Promise<void> {
  const { namespace, serviceAccountName, serviceAccountUid } = wanted;
  const account = await client.find(pathFor("v1", "ServiceAccount", namespace, serviceAccountName));
  const name = `${namespace}/${serviceAccountName}`;
  if (account === undefined) {
    throw new ProviderError(
      "TOKEN_ACCOUNT_MISSING",
      `ServiceAccount ${name} was deleted, which revoked its tokens.`,
      "Run pulumi up --refresh: it creates it and its token again.",
    );
  }
  if (account.metadata?.uid !== serviceAccountUid) {
    throw new ProviderError(
      "TOKEN_ACCOUNT_OTHER",
      `ServiceAccount ${name} was created again: its UID is ${account.metadata?.uid}, expected ${serviceAccountUid}.`,
      "Run pulumi up --refresh.",
    );
  }
}

async function unfilled(client: KubeClient, wanted: TokenSecret, limitMs: number): Promise<ProviderError> {
  await requireAccount(client, wanted);
  return new ProviderError(
    "TOKEN_NOT_FILLED",
    `Secret ${wanted.namespace}/${wanted.secretName} got no token within ${Math.round(limitMs / 1000)} s, though its ServiceAccount exists: the cluster's token controller seems to be disabled, or something denies its changes.`,
    "Check that kube-controller-manager runs with the serviceaccount-token controller, and its log, or use TokenRequest mode, which does not need it.",
  );
}
