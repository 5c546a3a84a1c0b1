import type { CertificateAccess, TokenAccess } from "./access.ts";
import { apiServer, base64, certificatesPem, keyPairPem, rawJwt } from "./encoding.ts";

/** Names inside the kubeconfig. */
export interface KubeconfigOptions {
  /** Name of the user and of the context. */
  readonly user: string;
  readonly cluster: string;
  /** Namespace of the context. @default none, which is "default" */
  readonly namespace?: string;
}

/**
 * A kubeconfig with one user, one cluster and one context, which is the current one. Credentials are embedded. The text is JSON, which is
 * valid YAML.
 *
 * @throws GatewayInputError that names the invalid field
 */
export function kubeconfig(
  access: TokenAccess | CertificateAccess,
  { user, cluster, namespace }: KubeconfigOptions,
): string {
  const ca = access.caPem && {
    "certificate-authority-data": base64(certificatesPem("certificate-authority-data", access.caPem)),
  };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: cluster, cluster: { server: apiServer("server", access.host), ...ca } }],
    users: [{ name: user, user: credentialOf(access) }],
    contexts: [{ name: user, context: { cluster, user, ...(namespace && { namespace }) } }],
    "current-context": user,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

function credentialOf(access: TokenAccess | CertificateAccess) {
  if ("token" in access) return { token: rawJwt("token", access.token) };
  const fields = { certificate: "client-certificate-data", key: "client-key-data" };
  const { certificate, key } = keyPairPem(fields, access);
  return { "client-certificate-data": base64(certificate), "client-key-data": base64(key) };
}
