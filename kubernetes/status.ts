import { X509Certificate } from "node:crypto";
import { anonymousError, anonymousUser, refusedUser } from "./anonymous.ts";
import type { Connection, Credentials } from "./connection.ts";
import { denialOf } from "./denial.ts";
import { KubeError, scrub } from "./errors.ts";
import type { HttpResponse } from "./transport/https.ts";

/** The error for an answer that is not JSON. It quotes no part of the answer. */
export function notJson(method: string, path: string, answer: HttpResponse, connection: Connection): KubeError {
  const type = String(answer.headers["content-type"] ?? "no content type").split(";")[0];
  const what = `${connection.server} answered ${method} ${path.split("?")[0]} with status ${answer.status} and ${answer.text.length} characters of ${type}, which is not a complete JSON object.`;
  return new KubeError("KUBE_NOT_JSON", what, {
    status: answer.status,
    remedy: "Check that this is the address of an API server, and not of a proxy, a login page or a console.",
  });
}

/** The error for a redirect. Redirects are not followed, because the credential is for this server alone. */
export function redirected(method: string, path: string, answer: HttpResponse, connection: Connection): KubeError {
  const location = String(answer.headers.location ?? "");
  const url = URL.canParse(location, connection.server) ? new URL(location, connection.server) : undefined;
  const target = location !== "" && url !== undefined ? ` to ${url.origin}${url.pathname}` : "";
  return new KubeError(
    "KUBE_REDIRECT",
    `${connection.server} redirects ${method} ${path.split("?")[0]}${target} (status ${answer.status}).`,
    {
      status: answer.status,
      remedy: "An API server redirects no request. Use its own address, and not that of a login page or a console.",
    },
  );
}

/** The fields that are read from a Status. A server may send other types. */
interface Status {
  readonly kind?: unknown;
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly causes?: unknown } | null;
}

/** The error for an answer of 400 and above. */
export function statusError(
  method: string,
  path: string,
  answer: HttpResponse,
  connection: Connection,
  credentials: Credentials,
): KubeError {
  const status = parseStatus(answer);
  const what = `${method} ${path.split("?")[0]} on ${connection.server}`;
  // A server error without a Status object comes from a proxy; its text is not useful.
  if (
    status === undefined &&
    answer.status < 500 &&
    answer.status !== 401 &&
    answer.status !== 403 &&
    answer.status !== 404 &&
    // The API server answers 429 in plain text.
    answer.status !== 429
  ) {
    return notJson(method, path, answer, connection);
  }
  const serverMessage = withoutCredential(textOf(status?.message), credentials).trim();
  const reason = textOf(status?.reason);
  const said = serverMessage === "" ? "" : `: ${serverMessage.replace(/\.$/, "")}`;
  const make = (code: KubeError["code"], text: string, remedy: string) =>
    new KubeError(code, text, { remedy, status: answer.status, reason, serverMessage });
  switch (answer.status) {
    case 401:
      return make(
        "KUBE_UNAUTHORIZED",
        `${connection.server} does not accept ${describeCredentials(connection)} (${method} ${path.split("?")[0]}).`,
        expiryHint(connection, credentials),
      );
    case 403: {
      const request = `${method} ${path.split("?")[0]}`;
      if (refusedUser(serverMessage) === anonymousUser) {
        return anonymousError(request, connection, credentials, { status: answer.status, reason, serverMessage });
      }
      const { code, by, remedy } = denialOf(status?.kind === "Status" ? serverMessage : undefined);
      return make(code, `${by} ${request} on ${connection.server}${said}.`, remedy);
    }
    case 404:
      return make("KUBE_NOT_FOUND", `Not found: ${what}${said}.`, "");
    case 409:
      return reason === "AlreadyExists"
        ? make(
            "KUBE_ALREADY_EXISTS",
            `It exists already: ${what}${said}.`,
            "Choose another name, or delete the object.",
          )
        : make("KUBE_CONFLICT", `Conflict: ${what}${said}.`, conflictRemedy(status));
    case 410:
      return make("KUBE_GONE", `Gone: ${what}${said}.`, "");
    case 400:
      return make("KUBE_BAD_REQUEST", `The server cannot read the request: ${what}${said}.`, "");
    case 422:
      return make("KUBE_INVALID", `The server refuses the object: ${what}${said}.`, "");
    case 429:
      return make("KUBE_TOO_MANY_REQUESTS", `The server is overloaded: ${what}${said}.`, "Try again later.");
    case 502:
    case 503:
    case 504:
      return make(
        "KUBE_UNAVAILABLE",
        `The server is not available (${answer.status}): ${what}${said}.`,
        "Try again later.",
      );
    default:
      return answer.status >= 500
        ? make(
            "KUBE_SERVER_ERROR",
            `The server failed (${answer.status}): ${what}${said}.`,
            "Check the API server's log.",
          )
        : make("KUBE_STATUS", `Status ${answer.status}: ${what}${said}.`, "");
  }
}

function parseStatus(answer: HttpResponse): Status | undefined {
  try {
    const parsed = JSON.parse(answer.text) as Status;
    return typeof parsed === "object" && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A shorter text may be a word of a sentence, and is not replaced. */
const shortestCredential = 8;

/** Removes the credential of the request from a server's message, since some servers repeat it. */
function withoutCredential(words: string, { authorization = "" }: Credentials): string {
  const credential = authorization.replace(/^\w+ /, "");
  const scrubbed = scrub(words);
  return credential.length < shortestCredential ? scrubbed : scrubbed.replaceAll(credential, "[credential]");
}

function describeCredentials(connection: Connection): string {
  return connection.context === ""
    ? connection.user
    : `the credentials of user "${connection.user}" (context "${connection.context}" of ${connection.source})`;
}

function expiryHint(connection: Connection, { certPem }: Credentials): string {
  if (certPem !== undefined) {
    try {
      const { validToDate } = new X509Certificate(certPem);
      if (validToDate.getTime() < Date.now()) {
        return `Its client certificate expired on ${validToDate.toISOString()}: get a new kubeconfig.`;
      }
    } catch {
      // The certificate cannot be read. The server's message explains the rejection.
    }
  }
  return connection.context === ""
    ? "It has expired, was revoked, or belongs to another cluster."
    : "They have expired, were revoked, or belong to another cluster: log in again or get a new kubeconfig.";
}

/** The remedy for a conflict with another field manager, or with a change since the object was read. */
function conflictRemedy(status: Status | undefined): string {
  const causes = status?.details?.causes;
  const owned =
    Array.isArray(causes) && causes.some((cause: Status | null) => cause?.reason === "FieldManagerConflict");
  return owned
    ? "Another tool owns that field: remove the field here, or from that tool's configuration (kubectl get --show-managed-fields)."
    : "Something else changed the object at the same time: try again.";
}
