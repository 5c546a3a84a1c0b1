import { setTimeout as sleep } from "node:timers/promises";
import { KubeClient } from "../kube/client.ts";
import { isKubeError, isUnreachable } from "../kube/errors.ts";
import { glanceMsAt, noteSilence } from "./clients.ts";
import { ProviderError } from "./errors.ts";
import type { Context } from "./resource.ts";
import { askWhoIAm, reviewAccess } from "./selfReview.ts";
import { review } from "./tokenProof.ts";

/** A certificate with its key, and where it is to be accepted. */
export interface CertificateUse {
  readonly host: string;
  /** PEM; "" for a public CA. */
  readonly caPem: string;
  readonly tlsServerName?: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly commonName: string;
}

/** What the certificate's user must be able to do: create TokenReviews, or just be who they are. */
export type Proof = "tokenReview" | "self";

/** How long a new binding, or a new CA, may take until every API server knows of it. */
const settleMs = 5_000;

/**
 * Proves a certificate by calls that are made with it. Tries again while the server does not know it or its user's
 * binding yet, for a few seconds.
 *
 * @param waitMs time until the certificate is valid, for a signer whose clock is ahead
 * @throws ProviderError CERTIFICATE_REFUSED, CERTIFICATE_MAY_NOT_REVIEW; KubeError for the way to the server
 */
export async function prove(use: CertificateUse, proof: Proof, waitMs: number, context: Context): Promise<void> {
  using client = clientFor(use, context);
  const started = performance.now();
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    const error = await attempt(client, use, proof);
    if (error === undefined) return;
    const waitedMs = performance.now() - started;
    if (waitedMs + pauseMs > settleMs + waitMs) throw error;
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

/** What keeps the certificate from being proved; undefined when it is. */
async function attempt(client: KubeClient, use: CertificateUse, proof: Proof): Promise<ProviderError | undefined> {
  try {
    const { username } = await whoIs(client);
    if (username !== undefined && username !== use.commonName) return taken(use, username);
    // Any token will do: what is proved is that the server takes the question.
    if (proof === "tokenReview") await review(client, "k8sauth-asks-whether-it-may-ask");
    else if (username === undefined) await reviewAccess(client);
    return undefined;
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) return refused(use);
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    const username = forbiddenUser(error.serverMessage);
    if (username !== undefined && username !== use.commonName) return taken(use, username);
    return mayNotReview(use);
  }
}

/** The user that the server takes the caller for, as far as it says. */
async function whoIs(client: KubeClient): Promise<{ readonly username?: string; readonly date?: Date }> {
  try {
    return await askWhoIAm(client);
  } catch (error) {
    // A refusal names whom it refuses: that is an answer too.
    const username = isKubeError(error, "KUBE_FORBIDDEN") ? forbiddenUser(error.serverMessage) : undefined;
    if (username === undefined) throw error;
    return { username };
  }
}

function forbiddenUser(message: string | undefined): string | undefined {
  const quoted = /User ("(?:[^"\\]|\\.)*") cannot /.exec(message ?? "")?.[1];
  try {
    return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
  } catch {
    return undefined;
  }
}

function refused({ host, commonName }: CertificateUse): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REFUSED",
    `${host} does not accept the certificate that was just signed for "${commonName}".`,
    "Check that the host leads to the same cluster as the kubeconfig, that its --client-ca-file holds the CA that the controller manager signs with, and the clocks of both.",
  );
}

function taken({ host, commonName }: CertificateUse, username: string): ProviderError {
  return new ProviderError(
    "CERTIFICATE_REFUSED",
    `${host} takes the holder of the certificate of "${commonName}" for "${username}".`,
    "Something on the way ends TLS and drops the client certificate (a load balancer, a proxy, Rancher): use a host that passes TLS through, or the token flow.",
  );
}

function mayNotReview({ host, commonName }: CertificateUse): ProviderError {
  return new ProviderError(
    "CERTIFICATE_MAY_NOT_REVIEW",
    `The certificate of "${commonName}" is accepted at ${host}, but its user lacks the right create tokenreviews.authentication.k8s.io in the whole cluster.`,
    'Bind the user to the ClusterRole system:auth-delegator, or to one that grants create on tokenreviews; for another role set proof to "self".',
  );
}

/** What a look at a certificate in use showed. */
export interface Probe {
  readonly verdict: "alive" | "dead" | "unsure";
  /** The server's own clock, where it answered. */
  readonly now?: Date;
}

/**
 * Tries a certificate within 2 s. Only a refusal of the certificate itself is its death: a missing binding is another
 * resource's drift, and a server that cannot be reached says nothing.
 */
export async function probe(use: CertificateUse, context: Context): Promise<Probe> {
  const what = `the certificate of "${use.commonName}"`;
  using client = clientFor(use, context, glanceMsAt(use.host));
  try {
    const { username, date } = await whoIs(client);
    if (username === undefined) await reviewAccess(client);
    if (username === undefined || username === use.commonName) return { verdict: "alive", now: date };
    context.log.warn(taken(use, username).message);
    return { verdict: "unsure", now: date };
  } catch (error) {
    if (isKubeError(error, "KUBE_UNAUTHORIZED")) {
      context.log.info(`${what.replace("the", "The")} is dead: the API server no longer accepts it.`);
      return { verdict: "dead" };
    }
    noteSilence(use.host, error);
    const why = isUnreachable(error) ? "The API server cannot be reached" : "The API server could not be asked";
    context.log.warn(`${why}: ${what} was not tried. ${(error as Error).message}`);
    return { verdict: "unsure" };
  }
}
