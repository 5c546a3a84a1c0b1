import type { Connection, Credentials } from "./connection.ts";
import { KubeError, type KubeErrorDetail } from "./errors.ts";
import { pairProblem } from "./kubeconfig/keyPair.ts";

/** The user that the API server assigns to a request without a credential. */
export const anonymousUser = "system:anonymous";

/** The user that a 403 of the API server names; undefined if it names none. */
export function refusedUser(serverMessage: string | undefined): string | undefined {
  const quoted = /User ("(?:[^"\\]|\\.)*") cannot /.exec(serverMessage ?? "")?.[1];
  try {
    return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
  } catch {
    return undefined;
  }
}

/**
 * The error for a request that the API server attributes to `system:anonymous`. Its remedy grants no rights, because everyone who can reach
 * the API server would have them.
 *
 * @param request subject of the message: method and path, or a noun
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#anonymous-requests
 */
export function anonymousError(
  request: string,
  connection: Connection,
  credentials: Credentials,
  detail: Omit<KubeErrorDetail, "remedy"> = {},
): KubeError {
  const impersonated = connection.impersonation["Impersonate-User"] === anonymousUser;
  const what = impersonated
    ? `User "${connection.user}" of ${connection.source} impersonates ${anonymousUser}. ${connection.server} refused ${request}.`
    : `No credential arrived at ${connection.server}: it attributes ${request} to ${anonymousUser}.`;
  return new KubeError("KUBE_ANONYMOUS", what, {
    ...detail,
    remedy: `${impersonated ? 'Remove "as" from that user.' : cause(connection, credentials)} Give ${anonymousUser} and system:unauthenticated no rights: everyone who can reach the API server would have them.`,
  });
}

function cause(connection: Connection, { authorization, certPem, keyPem }: Credentials): string {
  const owner =
    connection.context === ""
      ? connection.user
      : `user "${connection.user}" (context "${connection.context}" of ${connection.source})`;
  if (authorization !== undefined) {
    return `The request had the Authorization header of ${owner}. The API server answers an expired or unknown token with 401, so a proxy on the way removes the header: use an address that leads directly to the API server.`;
  }
  if (certPem === undefined || keyPem === undefined) {
    return `${capital(owner)} has no credential: set a token, a client certificate with its key, or an exec plugin.`;
  }
  const problem = pairProblem(certPem, keyPem);
  if (problem !== undefined) {
    return `TLS did not send the client certificate of ${owner}, because its key is not usable with it: ${problem}. Use the certificate and the key that were issued together.`;
  }
  return `A proxy or load balancer on the way that terminates TLS drops the client certificate of ${owner}: use an address that passes TLS through to the API server, or a token.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
