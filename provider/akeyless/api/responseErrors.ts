import type { HttpResponse } from "../../../kubernetes/transport/https.ts";
import { ProviderError, type ProviderErrorCode } from "../../protocol/errors.ts";
import { type ProductError, productError } from "./productError.ts";
import type { AkeylessEndpoint } from "./transport.ts";

/** Fields of requests whose values must not appear in a message. */
const secretFields = new Set([
  "token",
  "uid-token",
  "access-key",
  "jwt",
  "signing-key",
  "token-reviewer-jwt",
  "k8s-client-key",
  "rancher-api-key",
  "key-data",
  "k8s-service-account-token",
]);

/** The secret values of a request, which the server's message may repeat. */
export function secretValues(body: object): string[] {
  return Object.entries(body).flatMap(([key, value]) =>
    secretFields.has(key) && typeof value === "string" && value !== "" ? [value] : [],
  );
}

/** The error for an answer that is not a JSON object of the product. Its content is not quoted. */
export function notJson({ url }: AkeylessEndpoint, command: string, answer: HttpResponse): ProviderError {
  const { status, text, headers } = answer;
  const contentType = String(headers["content-type"] ?? "").split(";")[0] || "no content type";
  const what = text === "" ? `an empty answer (${contentType})` : `${text.length} characters of ${contentType}`;
  return new ProviderError(
    "AKEYLESS_NOT_JSON",
    `${url} answered ${command} with status ${status} and ${what}, which is not a JSON object of Akeyless.`,
    "Check that this is the base URL of an Akeyless REST API v2, such as https://GATEWAY:8000/api/v2, and not of a console, a login page or a proxy.",
  );
}

/** The error for a JSON object in which a field has another type than the product's. @param wrong which field, without its content */
export function unexpectedShape({ url }: AkeylessEndpoint, command: string, wrong: string): ProviderError {
  return new ProviderError(
    "AKEYLESS_NOT_JSON",
    `${url} answered ${command} with a JSON object that is not Akeyless's: ${wrong}.`,
    "Check that this is the base URL of an Akeyless REST API v2, and that nothing on the way changes its answers.",
  );
}

interface Kind {
  readonly code: ProviderErrorCode;
  readonly what: string;
  readonly remedy: string;
}

const invalid: Kind = { code: "AKEYLESS_INVALID", what: "rejected", remedy: "" };
const exists: Kind = { code: "AKEYLESS_EXISTS", what: "rejected", remedy: "" };
const notFound: Kind = { code: "AKEYLESS_NOT_FOUND", what: "found nothing for", remedy: "Check the name." };
const unauthorized: Kind = {
  code: "AKEYLESS_UNAUTHORIZED",
  what: "does not accept the caller's credentials for",
  remedy:
    "Check the credentials in the environment of up: AKEYLESS_ACCESS_ID with AKEYLESS_ACCESS_KEY or AKEYLESS_AUTH_JWT, or get a new AKEYLESS_AUTH_TOKEN or AKEYLESS_AUTH_UID.",
};

const byStatus: Readonly<Record<number, Kind>> = {
  400: invalid,
  401: unauthorized,
  404: notFound,
  409: exists,
  429: { code: "AKEYLESS_BUSY", what: "limits the rate of calls and rejected", remedy: "Try again later." },
};

/** The error for an answer of 300 and above. */
export function statusError(
  endpoint: AkeylessEndpoint,
  command: string,
  answer: HttpResponse,
  secrets: readonly string[],
): ProviderError {
  const said = productError(answer.text, secrets);
  // A body that is not JSON comes from a proxy. It is usual for a server error, which keeps its code.
  if (said === undefined && answer.status < 500) return notJson(endpoint, command, answer);
  // A proxy's 404 does not mean that an object is absent.
  if (answer.status === 404 && !said?.isFromAkeyless) return notJson(endpoint, command, answer);
  const { code, what, remedy } = kindOf(command, answer.status, said ?? { message: "", isFromAkeyless: false });
  const words = said?.message ? `: ${said.message.replace(/\.$/, "")}` : "";
  return new ProviderError(code, `${endpoint.url} ${what} ${command} (status ${answer.status})${words}.`, remedy);
}

function kindOf(command: string, status: number, { code, message }: ProductError): Kind {
  // The service's own API gives this answer to every command that only gateways have. The status varies.
  if (/not available on public gateway/i.test(message)) {
    return {
      code: "AKEYLESS_PUBLIC_GATEWAY",
      what: "rejected",
      remedy:
        "Auth configs live on your own gateway. Set the URL of its REST API: https://GATEWAY:8000/api/v2, or https://GATEWAY:8081 on an older gateway.",
    };
  }
  if (/access-id or email must be provided|missing required parameter - AccessId/i.test(message)) {
    return {
      code: "AKEYLESS_WRONG_API",
      what: "did not understand",
      remedy:
        "The access id was sent, so this is another port or another version of the API. Set the URL of the REST API v2: https://GATEWAY:8000/api/v2, or https://GATEWAY:8081 on an older gateway.",
    };
  }
  if (code === "AlreadyExists" || (status === 400 && /already exist/i.test(message))) return exists;
  if (isDenied(status, code, message)) {
    return { code: "AKEYLESS_FORBIDDEN", what: "does not permit", remedy: grantFor(command) };
  }
  if (code === "NotFound" && status < 500) return notFound;
  if (code === "InvalidParam") return invalid;
  const known = byStatus[status];
  if (known) return known;
  if (status >= 500) return { code: "AKEYLESS_FAILED", what: "failed at", remedy: "Look at the gateway's log." };
  return { code: "AKEYLESS_STATUS", what: "answered", remedy: "Check that this is the base URL of its REST API v2." };
}

/**
 * Whether the caller is authenticated but not authorized. The service answers 401 in this case and for an expired session. It answers 404
 * only to a caller who may know that the object does not exist.
 */
function isDenied(status: number, code: string | undefined, message: string): boolean {
  if (status === 403) return true;
  const isSessionInvalid = /expired|(invalid|missing|malformed) (token|creds|credentials|session)/i.test(message);
  return status === 401 && code === "UnauthorizedAccess" && !isSessionInvalid;
}

/** The remedy for a missing right: what the caller's role needs for a command. */
function grantFor(command: string): string {
  const rule = (type: string) =>
    `Add a rule of type ${type} with this path and the capabilities read, create, update and delete to the caller's role. Akeyless gives the same answer for an object that does not exist if the caller may not read its path.`;
  if (command === "/auth") return "Check what the auth method is bound to, and its allowed client addresses.";
  if (command.startsWith("/gateway-")) {
    return "Give the caller the access permission k8s_auth on the gateway.";
  }
  if (command.startsWith("/event-forwarder-")) return "Give the caller's role access to Event Forwarders.";
  if (command.startsWith("/auth-method-")) return rule("auth-method-rule");
  if (/role|assoc/.test(command)) return rule("role-rule");
  return rule("item-rule");
}
