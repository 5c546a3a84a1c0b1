import { createHash, X509Certificate } from "node:crypto";
import { anonymousError, anonymousUser } from "../../kubernetes/anonymous.ts";
import type { KubeClient, KubeObject } from "../../kubernetes/client.ts";
import { KubeClient as Client } from "../../kubernetes/client.ts";
import { isKubeError, isUnreachable, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";
import { reviewSelf } from "../../kubernetes/reviews.ts";
import { ProviderError } from "../protocol/errors.ts";

/** A right that the program is going to need, in the terms of a SelfSubjectAccessReview. */
export interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  /** Without it: in the whole cluster. */
  readonly namespace?: string;
  readonly name?: string;
  /** Instead of a resource: a path of the API server. */
  readonly nonResourcePath?: string;
}

/** An object whose name was asked for, and must be free. */
export interface ReservedName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
}

/** What is known of the issuer of the cluster's service account tokens. */
export interface IssuerFacts {
  /** "" where discovery does not tell. */
  readonly issuer: string;
  /** Why it is empty; "" where it is not. */
  readonly issuerNote: string;
  /** JSON Web Key Set as JSON; "" where it cannot be had. */
  readonly jwks: string;
}

/** Version ("v1.36.3") and product of the API server. "" where the deployer may not read it. */
export async function readVersion(client: KubeClient): Promise<{ version: string; distribution: string }> {
  try {
    const { gitVersion = "" } = await client.get<{ gitVersion?: string }>("/version");
    return { version: gitVersion, distribution: distributionOf(gitVersion, client.connection.server) };
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return { version: "", distribution: distributionOf("", client.connection.server) };
  }
}

/** Which product serves the API, as far as its version or its address says so. */
export function distributionOf(gitVersion: string, server: string): string {
  const marks: readonly (readonly [RegExp, string])[] = [
    [/-eks-/, "EKS"],
    [/-gke\./, "GKE"],
    [/\+rke2/, "RKE2"],
    [/\+k3s/, "k3s"],
    [/\+k0s/, "k0s"],
    [/-rancher/, "RKE"],
    [/-aliyun/, "ACK"],
    [/-tke\./, "TKE"],
    [/\+vmware/, "VMware"],
    [/\+IKS/, "IKS"],
    [/-mirantis/, "MKE"],
  ];
  const hosts: readonly (readonly [RegExp, string])[] = [
    [/\.azmk8s\.io$/, "AKS"],
    [/\.eks\.amazonaws\.com(?:\.cn)?$/, "EKS"],
    [/\.gke\.goog$/, "GKE"],
    [/\.k8s\.ondigitalocean\.com$/, "DOKS"],
    [/\.linodelke\.net$/, "LKE"],
  ];
  const { hostname } = new URL(server);
  const find = (list: typeof marks, text: string) => list.find(([mark]) => mark.test(text))?.[1];
  return find(marks, gitVersion) ?? find(hosts, hostname) ?? "Kubernetes";
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
 * The issuer as the API server itself states it.
 *
 * @see https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
 */
export async function readIssuer(client: KubeClient): Promise<IssuerFacts & { readonly forbidden: boolean }> {
  const [document, keys] = await Promise.allSettled([
    client.get<{ issuer?: unknown; jwks_uri?: unknown }>("/.well-known/openid-configuration"),
    client.get<{ keys?: unknown }>("/openid/v1/jwks"),
  ]);
  const jwks = keys.status === "fulfilled" && Array.isArray(keys.value?.keys) ? JSON.stringify(keys.value) : "";
  if (document.status === "rejected") {
    const { reason } = document;
    if (isUnreachable(reason) || !(reason instanceof KubeError)) throw reason;
    return { issuer: "", issuerNote: discoveryNote(reason), jwks, forbidden: reason.code === "KUBE_FORBIDDEN" };
  }
  const { issuer } = document.value ?? {};
  if (typeof issuer !== "string" || !issuer.startsWith("https://")) {
    return { issuer: "", issuerNote: "the discovery document names no https issuer", jwks, forbidden: false };
  }
  return { issuer, issuerNote: "", jwks, forbidden: false };
}

function discoveryNote(error: KubeError): string {
  switch (error.code) {
    case "KUBE_FORBIDDEN":
      return "the deployer may not read /.well-known/openid-configuration (403)";
    case "KUBE_NOT_FOUND":
      return "the API server serves no discovery document (404), as one does whose issuer is not an https URL";
    default:
      return `the discovery document could not be read (${error.code})`;
  }
}

/**
 * Asks the API server which of the rights the deployer has.
 *
 * @throws ProviderError CLUSTER_RIGHTS_MISSING with all that are missing
 * @throws KubeError KUBE_ANONYMOUS if the rights that are missing are those of `system:anonymous`
 */
export async function requireRights(client: KubeClient, rights: readonly Right[]): Promise<void> {
  const distinct = [...new Map(rights.map((right) => [describeRight(right), right])).values()];
  const answers = await Promise.all(distinct.map((right) => mayI(client, right)));
  const missing = distinct.filter((_, index) => !answers[index]);
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

async function mayI(client: KubeClient, right: Right): Promise<boolean> {
  const { verb, nonResourcePath, ...resource } = right;
  const spec =
    nonResourcePath === undefined
      ? { resourceAttributes: { verb, ...resource } }
      : { nonResourceAttributes: { verb, path: nonResourcePath } };
  const review = await client.create<{ status?: { allowed?: boolean } }>(
    pathFor("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec },
    { safe: true },
  );
  return review.status?.allowed === true;
}

/** A right in words: "create tokenreviews.authentication.k8s.io in the whole cluster". */
export function describeRight(right: Right): string {
  if (right.nonResourcePath !== undefined) return `${right.verb} ${right.nonResourcePath}`;
  const resource = `${right.resource ?? "*"}${right.subresource ? `/${right.subresource}` : ""}${right.group ? `.${right.group}` : ""}`;
  const name = right.name ? ` "${right.name}"` : "";
  return `${right.verb} ${resource}${name} in ${right.namespace ? `namespace ${right.namespace}` : "the whole cluster"}`;
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
