import { setTimeout as sleep } from "node:timers/promises";
import { refusedUser } from "../../kubernetes/anonymous.ts";
import { KubeClient } from "../../kubernetes/client.ts";
import { missingRights } from "../../kubernetes/cluster/rights.ts";
import { isKubeError } from "../../kubernetes/errors.ts";
import { attributedUser, reviewOwnAccess, reviewToken } from "../../kubernetes/reviews.ts";
import { failUnlessOffline, isTlsError, quickTimeoutFor, rememberTimeout } from "../cluster/reachability.ts";
import { ProviderError } from "../protocol/errors.ts";
import type { Context } from "../protocol/resource.ts";

/** A certificate with its key, and the server that must accept it. */
export interface CertificateUse {
  readonly host: string;
  /** PEM; "" for a public CA. */
  readonly caPem: string;
  readonly tlsServerName?: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly commonName: string;
}

/** Condition of the proof. `tokenReview`: the certificate's user may create TokenReviews. `self`: the API server accepts the certificate. */
export type Proof = "tokenReview" | "self";

/** Time in which every API server learns of a new binding or CA, in milliseconds. */
const propagationMs = 5_000;

/** Not a valid token. A review of it shows whether the certificate's user may create TokenReviews. */
const placeholderToken = "k8sauth-asks-whether-it-may-ask";

/**
 * Proves a certificate by calls with it. Retries for a few seconds, until every API server knows the CA and the user's binding. A reviewer's
 * certificate must not read Secrets: its user or its groups may have other bindings.
 *
 * @param waitMs time until the certificate is valid, for a signer whose clock is ahead
 * @throws ProviderError CERTIFICATE_REFUSED, CERTIFICATE_MAY_NOT_REVIEW, CERTIFICATE_READS_SECRETS; KubeError for a failed connection
 */
export async function prove(use: CertificateUse, proof: Proof, waitMs: number, context: Context): Promise<void> {
  using client = clientFor(use, context);
  const started = performance.now();
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    const error = await attempt(client, use, proof);
    if (error === undefined) {
      if (proof === "tokenReview" && (await mayListSecrets(client))) throw readsSecrets(use);
      return;
    }
    const waitedMs = performance.now() - started;
    if (waitedMs + pauseMs > propagationMs + waitMs) throw error;
    if (waitedMs > 1_000) {
      context.log.status(`Waiting until ${use.host} accepts the certificate of "${use.commonName}" (${error.code})`);
    }
    await sleep(pauseMs, undefined, { signal: context.signal }).catch(() => {
      throw new ProviderError("CANCELLED", `The proof of the certificate of ${use.commonName} was cancelled.`);
    });
  }
}

function clientFor(use: CertificateUse, context: Context, timeoutMs?: number): KubeClient {
  const { host, caPem, tlsServerName, certificatePem, privateKeyPem, commonName } = use;
  const label = `the client certificate of "${commonName}"`;
  const credential = { certPem: certificatePem, keyPem: privateKeyPem, label };
  return KubeClient.direct(
    { server: host, caPem, tlsServerName, ...credential },
    { signal: context.signal, timeoutMs },
  );
}

/** Tries the proof once. Undefined if it succeeds. */
async function attempt(client: KubeClient, use: CertificateUse, proof: Proof): Promise<ProviderError | undefined> {
  try {
    const { username } = await attributedUser(client);
    if (username !== undefined && username !== use.commonName) return otherUser(use, username);
    if (proof === "tokenReview") await reviewToken(client, placeholderToken);
    else if (username === undefined) await reviewOwnAccess(client);
    return undefined;
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) return refused(use);
    if (!isKubeError(error, "KUBE_FORBIDDEN", "KUBE_ANONYMOUS")) throw error;
    const username = refusedUser(error.serverMessage);
    if (username !== undefined && username !== use.commonName) return otherUser(use, username);
    return mayNotReview(use);
  }
}

function refused({ host, commonName }: CertificateUse): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REFUSED",
    `${host} does not accept the certificate of "${commonName}".`,
    "Check that the host leads to the same cluster as the kubeconfig, that its --client-ca-file holds the CA that the controller manager signs with, and the clocks of both.",
  );
}

function otherUser({ host, commonName }: CertificateUse, username: string): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REFUSED",
    `${host} attributes requests with the certificate of "${commonName}" to "${username}".`,
    "A load balancer, a proxy or Rancher terminates TLS and drops the client certificate: use a host that passes TLS through, or the token flow.",
  );
}

function mayNotReview({ host, commonName }: CertificateUse): ProviderError {
  return new ProviderError(
    "CERTIFICATE_MAY_NOT_REVIEW",
    `The certificate of "${commonName}" is accepted at ${host}, but its user lacks the right create tokenreviews.authentication.k8s.io in the whole cluster.`,
    'If its ClusterRole or binding was deleted or edited, pulumi up --refresh restores it. Otherwise bind the user to the ClusterRole system:auth-delegator, or to one that grants create on tokenreviews; for another role set proof to "self".',
  );
}

function readsSecrets({ host, commonName }: CertificateUse): ProviderError {
  return new ProviderError(
    "CERTIFICATE_READS_SECRETS",
    `The certificate of "${commonName}" may list the Secrets of the whole cluster at ${host}. It was discarded.`,
    'Its user or one of its groups has further bindings: choose another common name and organization, or remove these bindings. For a user that needs such rights set proof to "self".',
  );
}

/** Whether the client's user may list all Secrets. False if the server lets the user ask nothing about itself. */
async function mayListSecrets(client: KubeClient): Promise<boolean> {
  try {
    return (await missingRights(client, [{ verb: "list", resource: "secrets" }])).length === 0;
  } catch (error) {
    if (isKubeError(error, "KUBE_FORBIDDEN")) return false;
    throw error;
  }
}

/** Result of trying a stored certificate. */
export interface Probe {
  /** `powerless`: the server accepts the certificate, but its user lacks the right. `dead`: the server no longer accepts it. */
  readonly verdict: "alive" | "powerless" | "dead" | "unsure";
  /** Time of the server's clock, if it answered. */
  readonly now?: Date;
}

/**
 * Tries a certificate within 2 s. It is dead if the server rejects it. It is powerless if its user may not create TokenReviews, or if a proxy
 * drops it, so that the server sees another user.
 */
export async function probe(use: CertificateUse, proof: Proof, context: Context): Promise<Probe> {
  const { commonName } = use;
  const untried = `The certificate of "${commonName}" was not tried.`;
  using client = clientFor(use, context, quickTimeoutFor(use.host));
  try {
    const { username, date: now } = await attributedUser(client);
    if (username !== undefined && username !== commonName) {
      context.log.warn(otherUser(use, username).message);
      return { verdict: "powerless", now };
    }
    if (proof === "self" && username === undefined) await reviewOwnAccess(client);
    if (proof === "tokenReview" && !(await mayReview(client))) {
      context.log.warn(mayNotReview(use).message);
      return { verdict: "powerless", now };
    }
    return { verdict: "alive", now };
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) {
      context.log.info(`The certificate of "${commonName}" is dead: the API server no longer accepts it.`);
      return { verdict: "dead" };
    }
    rememberTimeout(use.host, error);
    // If the server has a new certificate, the resource Cluster finds its CA or fails.
    if (isTlsError(error)) context.log.warn(`${untried} ${error.message}`);
    else failUnlessOffline(untried, error, context);
    return { verdict: "unsure" };
  }
}

/** Whether the client's user may create TokenReviews. */
async function mayReview(client: KubeClient): Promise<boolean> {
  try {
    await reviewToken(client, placeholderToken);
    return true;
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN", "KUBE_ANONYMOUS")) throw error;
    return false;
  }
}
