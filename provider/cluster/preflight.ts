import { createHash, X509Certificate } from "node:crypto";
import { anonymousError, anonymousUser } from "../../kubernetes/anonymous.ts";
import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { KubeClient as Client } from "../../kubernetes/client.ts";
import { describeRight, missingRights, type Right } from "../../kubernetes/cluster/rights.ts";
import { isKubeError, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/** An object whose name was asked for, and must be free. */
export interface ReservedName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/**
 * What identifies the cluster for good: the UID of its namespace kube-system. A deployer who may not read that gets the
 * hash of the CA instead, which lives as long as the CA does; undefined where there is no CA either.
 */
export async function readUid(client: KubeClient, caPem: string): Promise<string | undefined> {
  try {
    const namespace = await client.get(pathFor("v1", "Namespace", undefined, "kube-system"));
    return namespace.metadata?.uid;
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN", "KUBE_NOT_FOUND")) throw error;
    return caPem === ""
      ? undefined
      : `${caUidPrefix}${createHash("sha256").update(firstCertificate(caPem).raw).digest("hex")}`;
  }
}

/** What the identity starts with when it stands on the CA. */
export const caUidPrefix = "ca-sha256-";

function firstCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

/** SHA-256 of the first certificate's DER, in hexadecimal with colons; "" without a CA. */
export function caFingerprint(caPem: string): string {
  return caPem === "" ? "" : firstCertificate(caPem).fingerprint256;
}

/**
 * Asks the API server which of the rights the deployer has.
 *
 * @throws ProviderError CLUSTER_RIGHTS_MISSING with all that are missing
 * @throws KubeError KUBE_ANONYMOUS if the rights that are missing are those of `system:anonymous`
 */
export async function requireRights(client: KubeClient, rights: readonly Right[]): Promise<void> {
  const missing = await missingRights(client, rights);
  if (missing.length === 0) return;
  const { connection } = client;
  const username = await usernameOf(client);
  if (username === anonymousUser) {
    const request = "its access reviews";
    throw anonymousError(request, connection, await connection.credentials.get());
  }
  const known = username && username !== connection.user ? `, whom the API server calls "${username}",` : "";
  throw new ProviderError(
    "CLUSTER_RIGHTS_MISSING",
    `User "${connection.user}"${known} lacks ${missing.length === 1 ? "a right" : `${missing.length} rights`} in the cluster at ${connection.server}: ${missing.map(describeRight).join("; ")}.`,
    "Grant them to that user, or deploy as a user who has them.",
  );
}

/** The deployer's name at the API server, which is the one to grant rights to; undefined if the server does not tell. */
async function usernameOf(client: KubeClient): Promise<string | undefined> {
  try {
    return (await reviewSelf(client))?.username;
  } catch (error) {
    if (isKubeError(error, "KUBE_ANONYMOUS") || !(error instanceof KubeError)) throw error;
    return undefined;
  }
}

interface Binding extends KubeObject {
  readonly roleRef?: { readonly kind?: string; readonly name?: string };
}

/**
 * Refuses names that something else has. Nothing after it does: the Kubernetes plugin creates by server-side apply, which takes over
 * an object that exists. A name that the deployer may not look up is therefore refused too.
 *
 * @throws ProviderError CLUSTER_NAME_TAKEN with all that are taken
 * @throws KubeError KUBE_FORBIDDEN
 */
export async function requireFree(client: KubeClient, names: readonly ReservedName[]): Promise<void> {
  const taken = (await Promise.all(names.map((name) => takenBy(client, name)))).filter((text) => text !== undefined);
  if (taken.length === 0) return;
  throw new ProviderError(
    "CLUSTER_NAME_TAKEN",
    `The cluster at ${client.connection.server} has ${taken.join("; ")}, and this stack did not make ${taken.length === 1 ? "it" : "them"}.`,
    "Choose another name, or remove what is there if nothing uses it; it is never taken over.",
  );
}

/** Those of the names that objects have, as far as the deployer may see them. */
export async function inUse(client: KubeClient, names: readonly ReservedName[]): Promise<ReservedName[]> {
  const found = await Promise.all(
    names.map((name) =>
      takenBy(client, name).catch((error: unknown) => {
        if (isKubeError(error, "KUBE_FORBIDDEN")) return undefined;
        throw error;
      }),
    ),
  );
  return names.filter((_, index) => found[index] !== undefined);
}

async function takenBy(client: KubeClient, wanted: ReservedName): Promise<string | undefined> {
  const { apiVersion, kind, namespace, name } = wanted;
  const found = await client.find<Binding>(pathFor(apiVersion, kind, namespace, name));
  if (found === undefined) return undefined;
  const role = found.roleRef ? `, bound to ${found.roleRef.kind} "${found.roleRef.name}"` : "";
  return `a ${describeName(wanted)} already${role}`;
}

/** A name in words: `Secret "gateway-token" in namespace auth`. */
export function describeName({ kind, namespace, name }: ReservedName): string {
  return `${kind} "${name}"${namespace ? ` in namespace ${namespace}` : ""}`;
}

/**
 * Proves with a real TLS handshake that `host` shows a certificate that `caPem` vouches for and that carries the host's
 * name, and that an API server answers there. No credential is sent.
 *
 * @throws KubeError KUBE_TLS_UNTRUSTED, KUBE_TLS_NAME, KUBE_TLS_EXPIRED, KUBE_REFUSED, KUBE_UNREACHABLE_DNS, KUBE_TIMEOUT…
 */
export async function proveHost(host: string, caPem: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  using client = Client.direct({ server: host, caPem, label: "an anonymous caller" }, { timeoutMs, signal });
  try {
    await client.get("/version", { retry: false });
  } catch (error) {
    // An API server may keep its version from strangers; any answer of one proves the handshake.
    if (isKubeError(error, "KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_FORBIDDEN")) return;
    if (!isKubeError(error, "KUBE_DENIED") || !error.reason) throw error;
  }
}
