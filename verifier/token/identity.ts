/** The ServiceAccount of a token, and the objects that the token is bound to. */
export interface Identity {
  /** `system:serviceaccount:NAMESPACE:NAME`. */
  readonly subject: string;
  readonly issuer: string;
  /** The accepted audience that the token is for. */
  readonly audience: string;
  /** All audiences of the token. */
  readonly audiences: readonly string[];
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUid: string;
  /** The pod that the token is bound to. */
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  /** The Secret that the token is bound to. */
  readonly secretName: string | undefined;
  readonly secretUid: string | undefined;
  /** The node of that pod, or the node that the token is bound to. */
  readonly nodeName: string | undefined;
  readonly nodeUid: string | undefined;
  /** `jti`. */
  readonly tokenId: string | undefined;
  /** Seconds since 1970; `undefined` if the token never expires (legacy tokens, only in reviews). */
  readonly expiresAt: number | undefined;
  /** Seconds since 1970. */
  readonly issuedAt: number | undefined;
}

const label = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomain = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const uid = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** RFC 1123 label: namespaces. */
export const isLabel = (value: unknown): value is string => typeof value === "string" && label.test(value);
/** RFC 1123 subdomain: ServiceAccounts, pods, Secrets, nodes. */
export const isSubdomain = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 253 && subdomain.test(value);
/** UIDs are opaque. The pattern accepts more than UUIDs, and nothing that a header cannot contain. */
export const isUid = (value: unknown): value is string => typeof value === "string" && uid.test(value);

/** Namespace and name in the user name of a ServiceAccount; `undefined` for any other user. */
export function splitUsername(username: string): { readonly namespace: string; readonly name: string } | undefined {
  const [system, kind, namespace, name, ...rest] = username.split(":");
  if (system !== "system" || kind !== "serviceaccount" || rest.length > 0) return undefined;
  return isLabel(namespace) && isSubdomain(name) ? { namespace, name } : undefined;
}

/** The identity as JSON, with the names of the claims. Claims that the token lacks are absent. */
export function identityJson(identity: Identity): string {
  return `${JSON.stringify({
    sub: identity.subject,
    iss: identity.issuer,
    aud: identity.audiences,
    namespace: identity.namespace,
    service_account_name: identity.serviceAccountName,
    service_account_uid: identity.serviceAccountUid,
    pod_name: identity.podName,
    pod_uid: identity.podUid,
    service_account_secret_name: identity.secretName,
    service_account_secret_uid: identity.secretUid,
    node_name: identity.nodeName,
    node_uid: identity.nodeUid,
    jti: identity.tokenId,
    iat: identity.issuedAt,
    exp: identity.expiresAt,
  })}\n`;
}
