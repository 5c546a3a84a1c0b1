import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient, KubeObject } from "../kube/client.ts";
import { pathFor } from "../kube/paths.ts";
import { ProviderError } from "./errors.ts";
import type { Context } from "./resource.ts";

/** The Secret that is waited for, and the account that it is for. */
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
 * Waits until the token controller has written the token into the Secret, and returns it. Only `data.token` counts:
 * `ca.crt` may be there before. The service account's own list of Secrets is never looked at.
 *
 * @throws ProviderError TOKEN_SECRET_MISSING, TOKEN_SECRET_OTHER, TOKEN_ACCOUNT_MISSING, TOKEN_ACCOUNT_OTHER,
 *   TOKEN_NOT_FILLED at the deadline (context.timeoutMs, 60 s by default)
 */
export async function awaitToken(client: KubeClient, wanted: TokenSecret, context: Context): Promise<string> {
  const limitMs = context.timeoutMs ?? 60_000;
  const started = performance.now();
  const { signal, log } = context;
  let saidAt = 0;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.6, 1_000)) {
    const token = await readToken(client, wanted);
    if (token !== undefined) return token;
    const waitedMs = performance.now() - started;
    if (waitedMs >= limitMs) throw await unfilled(client, wanted, limitMs);
    if (waitedMs - saidAt >= 1_000) {
      saidAt = waitedMs;
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
 * Takes what is in `data.token` out of the Secret, so that the token controller writes the account's token into it again.
 * For a Secret of this stack's own alone.
 */
export async function emptyToken(client: KubeClient, { namespace, secretName, secretUid }: TokenSecret): Promise<void> {
  const path = pathFor("v1", "Secret", namespace, secretName);
  const body = { metadata: { uid: secretUid }, data: { token: null } };
  await client.request("PATCH", path, { body, contentType: "application/merge-patch+json" });
}

async function readToken(client: KubeClient, wanted: TokenSecret): Promise<string | undefined> {
  const { namespace, secretName, secretUid } = wanted;
  const secret = await client.find<Secret>(pathFor("v1", "Secret", namespace, secretName));
  if (secret === undefined) {
    await requireAccount(client, wanted);
    throw new ProviderError(
      "TOKEN_SECRET_MISSING",
      `Secret ${namespace}/${secretName} is gone: it was deleted after this stack made it.`,
      "Run refresh, then up: that makes it again.",
    );
  }
  if (secret.metadata?.uid !== secretUid) {
    throw new ProviderError(
      "TOKEN_SECRET_OTHER",
      `Secret ${namespace}/${secretName} is not the one that this stack made: its UID is ${secret.metadata?.uid}, expected ${secretUid}.`,
      "Run refresh, then up.",
    );
  }
  const data = secret.data?.token;
  return data ? Buffer.from(data, "base64").toString("utf8").trim() : undefined;
}

async function requireAccount(client: KubeClient, wanted: TokenSecret): Promise<void> {
  const { namespace, serviceAccountName, serviceAccountUid } = wanted;
  const account = await client.find(pathFor("v1", "ServiceAccount", namespace, serviceAccountName));
  const name = `${namespace}/${serviceAccountName}`;
  if (account === undefined) {
    throw new ProviderError(
      "TOKEN_ACCOUNT_MISSING",
      `ServiceAccount ${name} is gone: its tokens died with it.`,
      "Run refresh, then up: that makes it and its token again.",
    );
  }
  if (account.metadata?.uid !== serviceAccountUid) {
    throw new ProviderError(
      "TOKEN_ACCOUNT_OTHER",
      `ServiceAccount ${name} was made anew: its UID is ${account.metadata?.uid}, expected ${serviceAccountUid}.`,
      "Run refresh, then up.",
    );
  }
}

async function unfilled(client: KubeClient, wanted: TokenSecret, limitMs: number): Promise<ProviderError> {
  await requireAccount(client, wanted);
  return new ProviderError(
    "TOKEN_NOT_FILLED",
    `Secret ${wanted.namespace}/${wanted.secretName} got no token within ${Math.round(limitMs / 1000)} s, though its ServiceAccount is there: the cluster's token controller seems to be off.`,
    "Check that kube-controller-manager runs with the serviceaccount-token controller, or use TokenRequest mode, which needs none.",
  );
}
