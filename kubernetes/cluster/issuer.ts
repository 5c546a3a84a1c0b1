import type { KubeClient } from "../client.ts";
import { isUnreachable, KubeError } from "../errors.ts";

/** The issuer of the cluster's ServiceAccount tokens, as far as discovery shows it. */
export interface IssuerFacts {
  /** "" if discovery does not state it. */
  readonly issuer: string;
  /** Why the issuer is empty; "" if it is not. */
  readonly issuerNote: string;
  /** JSON Web Key Set as JSON; "" if it could not be read. */
  readonly jwks: string;
}

/**
 * Reads the issuer from the API server's discovery document. `forbidden`: the client may not read the document.
 *
 * @throws KubeError if the API server cannot be reached
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
      return "the API server serves no discovery document (404): it has none if the issuer is not an https URL";
    default:
      return `the discovery document could not be read (${error.code})`;
  }
}
