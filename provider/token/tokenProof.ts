import { setTimeout as sleep } from "node:timers/promises";
import type { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { claims } from "../../kubernetes/jwt.ts";
import { authenticatedUser, type Review, reviewToken, workloadToken } from "../../kubernetes/reviews.ts";
import { isProviderError, ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";

/** Time in which every API server learns of a new token or binding, in milliseconds. */
const propagationMs = 5_000;

/**
 * Proves a reviewer's token by a review of itself. Retries for a few seconds, until every API server knows the token and its binding.
 *
 * @throws ProviderError TOKEN_REFUSED, TOKEN_MAY_NOT_REVIEW; KubeError for a failed connection
 */
export async function proveReviewer(
  client: KubeClient,
  token: string,
  subject: string,
  context: Context,
): Promise<Review> {
  const attempt = async () => {
    const result = await reviewToken(client, token);
    if (result.authenticated && result.username === subject) return result;
    throw refused(client, subject, result.error || `it is reviewed as "${result.username}"`);
  };
  return retryWhilePropagating(attempt, client, subject, context);
}

/**
 * Proves the token of an account without rights: the API server states its user.
 *
 * @throws ProviderError TOKEN_REFUSED; KubeError for a failed connection
 */
export async function proveSelf(client: KubeClient, subject: string, context: Context): Promise<void> {
  const attempt = async () => {
    const username = await authenticatedUser(client);
    if (username === undefined || username === subject) return;
    throw refused(client, subject, `the server attributes it to "${username}"`);
  };
  await retryWhilePropagating(attempt, client, subject, context);
}

async function retryWhilePropagating<T>(
  attempt: () => Promise<T>,
  client: KubeClient,
  subject: string,
  context: Context,
): Promise<T> {
  const started = performance.now();
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    let error: unknown;
    try {
      return await attempt();
    } catch (thrown) {
      if (isProviderError(thrown, "TOKEN_REFUSED")) error = thrown;
      else if (isKubeError(thrown, "KUBE_FORBIDDEN")) error = mayNotReview(client, subject);
      else if (isKubeError(thrown, "KUBE_UNAUTHORIZED")) error = refused(client, subject, thrown.message);
      else throw thrown;
    }
    if (performance.now() - started + pauseMs > propagationMs) throw error;
    await sleep(pauseMs, undefined, { signal: context.signal }).catch(() => {
      throw new ProviderError("CANCELLED", `The proof of the token of ${subject} was cancelled.`);
    });
  }
}

function refused(client: KubeClient, subject: string, why: string): ProviderError {
  return new ProviderError(
    "TOKEN_REFUSED",
    `${client.connection.server} does not accept the token of ${subject}: ${why.replace(/\.$/, "")}.`,
    "Check that the host leads to the same cluster as the kubeconfig, and that it accepts ServiceAccount tokens (the DNS endpoint of GKE and some proxies do not).",
  );
}

export function mayNotReview(client: KubeClient, subject: string): ProviderError {
  return new ProviderError(
    "TOKEN_MAY_NOT_REVIEW",
    `The token of ${subject} is valid at ${client.connection.server}, but lacks the right create tokenreviews.authentication.k8s.io in the whole cluster.`,
    "If its ClusterRole or binding was deleted or edited, pulumi up --refresh restores it. Otherwise bind it to the ClusterRole system:auth-delegator, or to one that grants create on tokenreviews.",
  );
}

/** Facts of projected tokens, read from a requested one. */
export interface Projection {
  /** Claim `iss` of the token: the issuer of workload tokens. "" if no token could be requested. */
  readonly issuer: string;
  readonly audienceAcceptedByDefault: boolean;
}

/** API server options that make token request projection work. */
const projectionOptions =
  "--service-account-issuer, --service-account-key-file, --service-account-signing-key-file and --api-audiences";

/**
 * Requests a token as the kubelet does for a workload, for 600 s, the shortest lifetime. Undefined if the deployer lacks the right.
 *
 * @throws ProviderError TOKEN_PROJECTION_OFF, TOKEN_ACCOUNT_MISSING
 */
export async function mint(
  client: KubeClient,
  account: { readonly namespace: string; readonly serviceAccountName: string },
  audience: string | undefined,
  context: Context,
): Promise<string | undefined> {
  const { namespace, serviceAccountName } = account;
  let why = "the answer held no token";
  try {
    const token = await workloadToken(client, namespace, serviceAccountName, audience ?? "");
    if (token !== "") return token;
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN")) {
      context.log.warn(
        `Token projection was not checked: the deployer lacks create serviceaccounts/token in namespace ${namespace}.`,
      );
      return undefined;
    }
    if (isKubeError(error, "KUBE_NOT_FOUND") && error.serverMessage?.includes(`"${serviceAccountName}"`)) {
      throw new ProviderError(
        "TOKEN_ACCOUNT_MISSING",
        `ServiceAccount ${namespace}/${serviceAccountName} is gone.`,
        "Run pulumi up --refresh.",
      );
    }
    if (!(error instanceof KubeError) || error.status === undefined) throw error;
    if (["KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_DENIED"].includes(error.code)) throw error;
    why = error.serverMessage || error.message;
  }
  throw new ProviderError(
    "TOKEN_PROJECTION_OFF",
    `The API server cannot mint tokens for workloads (TokenRequest for ${namespace}/${serviceAccountName}: ${why.replace(/\.$/, "")}).`,
    `On a self-managed cluster or minikube set the API server's options ${projectionOptions}.`,
  );
}

/**
 * Reviews a workload's token with the reviewer's token: for the audience, and without one. Warns if only the review without one refuses it.
 *
 * @throws ProviderError TOKEN_AUDIENCE_REFUSED
 */
export async function checkProjection(
  reviewer: KubeClient,
  minted: string,
  audience: string | undefined,
  context: Context,
): Promise<Projection> {
  const [asked, plain] = await Promise.all([
    audience === undefined ? undefined : reviewToken(reviewer, minted, [audience]),
    reviewToken(reviewer, minted),
  ]);
  if (asked !== undefined && audience !== undefined && !(asked.authenticated && asked.audiences.includes(audience))) {
    throw new ProviderError(
      "TOKEN_AUDIENCE_REFUSED",
      `A token minted for the audience "${audience}" is not accepted in a review for it: ${asked.error || "the audiences do not intersect"}.`,
      `Check the API server's options ${projectionOptions}.`,
    );
  }
  if (!plain.authenticated && audience === undefined) {
    throw new ProviderError(
      "TOKEN_AUDIENCE_REFUSED",
      `A token minted for the API server's own audience is not accepted in a review: ${plain.error || "no reason given"}.`,
      `Check the API server's options ${projectionOptions}.`,
    );
  }
  if (!plain.authenticated) {
    context.log.warn(
      `Tokens for the audience "${audience}" are accepted only in reviews that name it. A gateway that names no audience refuses them: add "${audience}" to the API server's --api-audiences, or have workloads use its own audience.`,
    );
  }
  const issuer = claims(minted)?.iss;
  return { issuer: typeof issuer === "string" ? issuer : "", audienceAcceptedByDefault: plain.authenticated };
}
