import { createHash, X509Certificate } from "node:crypto";
import { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, isUnreachable, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";

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
 * Proves with a real TLS handshake that `host` shows a certificate that `caPem` vouches for and that carries the host's
 * name, and that an API server answers there. No credential is sent.
 *
 * @throws KubeError KUBE_TLS_UNTRUSTED, KUBE_TLS_NAME, KUBE_TLS_EXPIRED, KUBE_REFUSED, KUBE_UNREACHABLE_DNS, KUBE_TIMEOUT…
 */
export async function proveHost(host: string, caPem: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  using client = KubeClient.direct({ server: host, caPem, label: "an anonymous caller" }, { timeoutMs, signal });
  try {
    await client.get("/version", { retry: false });
  } catch (error) {
    // An API server may keep its version from strangers; any answer of one proves the handshake.
    if (isKubeError(error, "KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_FORBIDDEN")) return;
    if (!isKubeError(error, "KUBE_DENIED") || !error.reason) throw error;
  }
}
