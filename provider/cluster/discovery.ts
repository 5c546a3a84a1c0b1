import { createHash, X509Certificate } from "node:crypto";
import { KubeClient } from "../../kubernetes/client.ts";
import { isKubeError, isUnreachable, KubeError } from "../../kubernetes/errors.ts";
import { pathFor } from "../../kubernetes/paths.ts";

/** The issuer of the cluster's ServiceAccount tokens, as far as discovery shows it. */
export interface IssuerFacts {
  /** "" if discovery does not state it. */
  readonly issuer: string;
  /** Why the issuer is empty; "" if it is not. */
  readonly issuerNote: string;
  /** JSON Web Key Set as JSON; "" if it could not be read. */
  readonly jwks: string;
}

/** Reads version ("v1.36.3") and product of the API server. The version is "" if the deployer may not read it. */
export async function readVersion(client: KubeClient): Promise<{ version: string; distribution: string }> {
  try {
    const { gitVersion = "" } = await client.get<{ gitVersion?: string }>("/version");
    return { version: gitVersion, distribution: distributionOf(gitVersion, client.connection.server) };
  } catch (error) {
    if (!isKubeError(error, "KUBE_FORBIDDEN")) throw error;
    return { version: "", distribution: distributionOf("", client.connection.server) };
  }
}

/** The product that serves the API, by its version or its address; "Kubernetes" if neither shows it. */
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
 * Identifies the cluster by the UID of its namespace kube-system, which never changes. If the deployer may not read it, the hash of the CA
 * serves instead, which changes with the CA. Undefined without a CA.
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

/** Prefix of an identity that is the hash of the CA. */
export const caUidPrefix = "ca-sha256-";

function firstCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

/** SHA-256 of the first certificate's DER, in hexadecimal with colons; "" without a CA. */
export function caFingerprint(caPem: string): string {
  return caPem === "" ? "" : firstCertificate(caPem).fingerprint256;
}

/**
 * Reads the issuer from the API server's discovery document.
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
      return "the API server serves no discovery document (404), which is so if its issuer is not an https URL";
    default:
      return `the discovery document could not be read (${error.code})`;
  }
}

/**
 * Proves with a real TLS handshake that `host` shows a certificate that `caPem` signed and that carries the host's name, and that an API
 * server answers there. No credential is sent.
 *
 * @throws KubeError KUBE_TLS_UNTRUSTED, KUBE_TLS_NAME, KUBE_TLS_EXPIRED, KUBE_REFUSED, KUBE_UNREACHABLE_DNS, KUBE_TIMEOUT…
 */
export async function proveHost(host: string, caPem: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  using client = KubeClient.direct({ server: host, caPem, label: "an anonymous caller" }, { timeoutMs, signal });
  try {
    await client.get("/version", { retry: false });
  } catch (error) {
    // An API server may refuse anonymous requests for its version. Any answer proves the handshake.
    if (isKubeError(error, "KUBE_UNAUTHORIZED", "KUBE_ANONYMOUS", "KUBE_FORBIDDEN")) return;
    if (!isKubeError(error, "KUBE_DENIED") || !error.reason) throw error;
  }
}
