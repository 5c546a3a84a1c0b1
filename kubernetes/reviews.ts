/** The API server's review APIs and TokenRequest. Fields of an answer with another type than documented count as missing. */
import { refusedUser } from "./anonymous.ts";
import type { KubeClient } from "./client.ts";
import { isKubeError } from "./errors.ts";
import { pathFor } from "./paths.ts";

const authentication = "authentication.k8s.io/v1";

/** Result of a TokenReview. */
export interface Review {
  readonly authenticated: boolean;
  readonly username: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  /** The authenticator's message, which contains no part of the token. */
  readonly error: string;
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: unknown;
    readonly audiences?: unknown;
    readonly error?: unknown;
    readonly user?: { readonly username?: unknown; readonly uid?: unknown } | null;
  } | null;
}

/**
 * Creates a TokenReview with the client's credential.
 *
 * @param audiences accepted audiences; undefined for the API server's own
 * @throws KubeError
 */
export async function reviewToken(client: KubeClient, token: string, audiences?: readonly string[]): Promise<Review> {
  const body = { apiVersion: authentication, kind: "TokenReview", spec: { token, audiences } };
  const { status } = await client.create<TokenReview>(pathFor(authentication, "TokenReview"), body, { safe: true });
  return {
    authenticated: status?.authenticated === true,
    username: textOf(status?.user?.username),
    uid: textOf(status?.user?.uid),
    audiences: Array.isArray(status?.audiences) ? status.audiences : [],
    error: textOf(status?.error),
  };
}

/** The user of a client's credential. */
export interface SelfReview {
  readonly username: string;
  readonly uid: string;
  /** Time of the server's clock. */
  readonly date?: Date;
}

/** Creates a SelfSubjectReview. Undefined from servers older than 1.28, which do not have it. @throws KubeError */
export async function reviewSelf(client: KubeClient): Promise<SelfReview | undefined> {
  const body = { apiVersion: authentication, kind: "SelfSubjectReview" };
  const path = pathFor(authentication, "SelfSubjectReview");
  type Answer = { status?: { userInfo?: { username?: unknown; uid?: unknown } | null } | null };
  try {
    const answer = await client.exchange<Answer>("POST", path, { body, safe: true });
    const { username, uid } = answer.body.status?.userInfo ?? {};
    return { username: textOf(username), uid: textOf(uid), date: answer.date };
  } catch (error) {
    if (isKubeError(error, "KUBE_NOT_FOUND")) return undefined;
    throw error;
  }
}

/**
 * The user to which the server attributes the client's requests; without `username` from a server older than 1.28. A refusal names the user
 * too.
 *
 * @throws KubeError
 */
export async function attributedUser(
  client: KubeClient,
): Promise<{ readonly username?: string; readonly date?: Date }> {
  try {
    return (await reviewSelf(client)) ?? {};
  } catch (error) {
    const username = isKubeError(error, "KUBE_FORBIDDEN", "KUBE_ANONYMOUS")
      ? refusedUser(error.serverMessage)
      : undefined;
    if (username === undefined) throw error;
    return { username };
  }
}

/** Creates a SelfSubjectAccessReview. It succeeds for every credential that the server accepts. @throws KubeError */
export async function reviewOwnAccess(client: KubeClient): Promise<void> {
  const apiVersion = "authorization.k8s.io/v1";
  const kind = "SelfSubjectAccessReview";
  const spec = { nonResourceAttributes: { verb: "get", path: "/version" } };
  await client.create(pathFor(apiVersion, kind), { apiVersion, kind, spec }, { safe: true });
}

/**
 * The user of a client's credential. Undefined from servers older than 1.28, which do not state it.
 *
 * @throws KubeError KUBE_UNAUTHORIZED for a credential that is not accepted
 */
export async function authenticatedUser(client: KubeClient): Promise<string | undefined> {
  const self = await reviewSelf(client);
  if (self === undefined) await reviewOwnAccess(client);
  return self?.username;
}

/** Fields of a TokenRequest. */
export interface TokenRequestSpec {
  /** @default the API server's own */
  readonly audiences?: readonly string[];
  readonly expirationSeconds: number;
  readonly boundObjectRef?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid: string;
  };
}

/** A token that the API server issued. */
export interface IssuedToken {
  /** "" if the answer has none. */
  readonly token: string;
  /** Milliseconds since the epoch; NaN if the answer has none. */
  readonly expiresAt: number;
}

/**
 * Requests a token of a ServiceAccount.
 *
 * @throws KubeError
 * @see https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
 */
export async function requestToken(
  client: KubeClient,
  namespace: string,
  serviceAccountName: string,
  spec: TokenRequestSpec,
): Promise<IssuedToken> {
  const path = `${pathFor("v1", "ServiceAccount", namespace, serviceAccountName)}/token`;
  type Answer = { status?: { token?: unknown; expirationTimestamp?: unknown } | null };
  const { status } = await client.create<Answer>(path, { apiVersion: authentication, kind: "TokenRequest", spec });
  return { token: textOf(status?.token), expiresAt: Date.parse(textOf(status?.expirationTimestamp)) };
}

/**
 * Requests a token as the kubelet does for a workload, for 600 s, the shortest lifetime.
 *
 * @param audience "" for the API server's own
 * @throws KubeError
 */
export async function workloadToken(
  client: KubeClient,
  namespace: string,
  serviceAccountName: string,
  audience: string,
): Promise<string> {
  const audiences = audience === "" ? undefined : [audience];
  const { token } = await requestToken(client, namespace, serviceAccountName, { audiences, expirationSeconds: 600 });
  return token;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
