/** Codes of errors of the Kubernetes client. Codes are stable. docs/errors.md explains each. */
export type KubeErrorCode =
  // kubeconfig and credentials
  | "KUBECONFIG_NOT_FOUND"
  | "KUBECONFIG_UNREADABLE"
  | "KUBECONFIG_MALFORMED"
  | "KUBECONFIG_NO_CONTEXT"
  | "KUBECONFIG_CONTEXT_UNKNOWN"
  | "KUBECONFIG_CLUSTER_UNKNOWN"
  | "KUBECONFIG_USER_UNKNOWN"
  | "KUBECONFIG_SERVER_INVALID"
  | "KUBECONFIG_INSECURE"
  | "KUBECONFIG_CA_MISSING"
  | "KUBECONFIG_CA_INVALID"
  | "KUBECONFIG_CREDENTIAL_MISSING"
  | "KUBECONFIG_CREDENTIAL_INVALID"
  | "KUBECONFIG_EXEC_MISSING"
  | "KUBECONFIG_EXEC_FAILED"
  | "KUBECONFIG_EXEC_TIMEOUT"
  | "KUBECONFIG_EXEC_RECURSION"
  | "KUBECONFIG_AUTH_PROVIDER"
  // connection
  | "KUBE_UNREACHABLE_DNS"
  | "KUBE_UNREACHABLE"
  | "KUBE_REFUSED"
  | "KUBE_TIMEOUT"
  | "KUBE_RESET"
  | "KUBE_TLS_UNTRUSTED"
  | "KUBE_TLS_NAME"
  | "KUBE_TLS_EXPIRED"
  | "KUBE_TLS_INVALID"
  | "KUBE_TLS_PROTOCOL"
  | "KUBE_PROXY_INVALID"
  | "KUBE_PROXY_UNREACHABLE"
  | "KUBE_PROXY_REFUSED"
  | "KUBE_CANCELLED"
  // answers of the server
  | "KUBE_NOT_JSON"
  | "KUBE_BAD_REQUEST"
  | "KUBE_UNAUTHORIZED"
  | "KUBE_ANONYMOUS"
  | "KUBE_FORBIDDEN"
  // a 403 for another reason than a missing right
  | "KUBE_DENIED"
  | "KUBE_REDIRECT"
  | "KUBE_NOT_FOUND"
  | "KUBE_CONFLICT"
  | "KUBE_ALREADY_EXISTS"
  | "KUBE_GONE"
  | "KUBE_INVALID"
  | "KUBE_TOO_MANY_REQUESTS"
  | "KUBE_UNAVAILABLE"
  | "KUBE_SERVER_ERROR"
  | "KUBE_STATUS"
  // requests that this client does not support
  | "KUBE_KIND_UNKNOWN"
  | "KUBE_NAMESPACE_MISSING";

/** Details of an error. */
export interface KubeErrorDetail {
  /** Steps that fix the error, as one or two sentences. */
  readonly remedy?: string;
  /** HTTP status, if the server answered. */
  readonly status?: number;
  /** `reason` of the server's Status object ("Forbidden", "AlreadyExists"). */
  readonly reason?: string;
  /** The server's message, without secrets. */
  readonly serverMessage?: string;
}

/** An error of the Kubernetes client. Its message never holds a token, a key or the text of a kubeconfig. */
export class KubeError extends Error {
  readonly code: KubeErrorCode;
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly remedy: string;
  readonly serverMessage: string | undefined;

  constructor(code: KubeErrorCode, what: string, detail: KubeErrorDetail = {}) {
    super(scrub(detail.remedy ? `${what} ${detail.remedy}` : what));
    this.name = "KubeError";
    this.code = code;
    this.status = detail.status;
    this.reason = detail.reason;
    this.remedy = detail.remedy ?? "";
    this.serverMessage = detail.serverMessage === undefined ? undefined : scrub(detail.serverMessage);
  }
}

/** Whether an error is a KubeError with one of the codes. Without codes: whether it is a KubeError. */
export function isKubeError(error: unknown, ...codes: readonly KubeErrorCode[]): error is KubeError {
  return error instanceof KubeError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether the API server could not be reached or is not available: a failed connection, or status 429, 502, 503 or 504. */
export function isUnreachable(error: unknown): error is KubeError {
  return isKubeError(
    error,
    "KUBE_UNREACHABLE_DNS",
    "KUBE_UNREACHABLE",
    "KUBE_REFUSED",
    "KUBE_TIMEOUT",
    "KUBE_RESET",
    "KUBE_PROXY_UNREACHABLE",
    "KUBE_PROXY_REFUSED",
    "KUBE_UNAVAILABLE",
    "KUBE_TOO_MANY_REQUESTS",
  );
}

const userinfo = /(:\/\/)[^/?#\s"'\\]*@/g;
const jwt = /\beyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?/g;
/** Tokens of EKS, GKE, OpenShift and Vault. */
const productToken = /\b(?:k8s-aws-v1\.|ya29\.|sha256~|hv[sbr]\.)[\w.~-]{8,}/g;
const privateKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
// Words are not credentials: "Basic constraints", "the token: it has expired".
const bearer = /\b(Bearer|Basic)\s+(?!(?-i:[a-z]{1,19})(?:[ ,.;:)]|$))[\w.~+/=-]{8,}/gi;
const credentialField =
  /(["']?(?:token(?!: (?-i:[a-z']{1,19}),? +(?-i:[a-z]))|password|clientKeyData|client-key-data|clientSecret|client-secret)["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s,}]+)/gi;

/** Removes everything that looks like a credential: tokens, private keys, authorization headers, credential fields, users in URLs. */
export function scrub(text: string): string {
  return text
    .replace(privateKey, "[private key]")
    .replace(jwt, "[token]")
    .replace(productToken, "[token]")
    .replace(bearer, "$1 [credential]")
    .replace(credentialField, "$1[credential]")
    .replace(userinfo, "$1[user]@");
}
