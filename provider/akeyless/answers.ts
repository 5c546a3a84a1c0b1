import { ProviderError, type ProviderErrorCode } from "../errors.ts";
import type { AkeylessEndpoint, RawAnswer } from "./transport.ts";

/** Fields of requests whose values must not come back in a message. */
const secretFields = new Set([
  "token",
  "uid-token",
  "access-key",
  "signing-key",
  "token-reviewer-jwt",
  "k8s-client-key",
  "rancher-api-key",
  "key-data",
  "k8s-service-account-token",
]);

/** The secret values of a request, to be taken out of whatever the server says about it. */
export function withheld(body: object): string[] {
  return Object.entries(body).flatMap(([key, value]) =>
    secretFields.has(key) && typeof value === "string" && value !== "" ? [value] : [],
  );
}

/** The error for an answer that is not a JSON object; nothing of it is quoted. */
export function notJson({ url }: AkeylessEndpoint, command: string, answer: RawAnswer): ProviderError {
  const { status, text, contentType } = answer;
  const what = text === "" ? `an empty answer (${contentType})` : `${text.length} characters of ${contentType}`;
  return new ProviderError(
    "AKEYLESS_NOT_JSON",
    `${url} answered ${command} with status ${status} and ${what}, which is not a JSON object.`,
    "Check that this is the base URL of an Akeyless REST API, such as https://GATEWAY:8000/api/v2, and not of a console, a login page or a proxy.",
  );
}

interface Kind {
  readonly code: ProviderErrorCode;
  readonly what: string;
  readonly remedy: string;
}

const kinds: Readonly<Record<number, Kind>> = {
  400: { code: "AKEYLESS_INVALID", what: "refused", remedy: "" },
  401: {
    code: "AKEYLESS_UNAUTHORIZED",
    what: "does not accept the caller's credentials for",
    remedy: "Check AKEYLESS_ACCESS_ID and AKEYLESS_ACCESS_KEY (or get a new AKEYLESS_TOKEN) where up runs.",
  },
  403: {
    code: "AKEYLESS_FORBIDDEN",
    what: "does not allow",
    remedy:
      "Give the caller's role this right; for auth configs the gateway's own access permission k8s_auth is needed.",
  },
  404: { code: "AKEYLESS_NOT_FOUND", what: "found nothing for", remedy: "" },
  409: { code: "AKEYLESS_EXISTS", what: "has one already and refused", remedy: "" },
  429: { code: "AKEYLESS_BUSY", what: "is asked too much and refused", remedy: "Try again later." },
};

/** The error for an answer of 300 and above. */
export function statusError(
  endpoint: AkeylessEndpoint,
  command: string,
  answer: RawAnswer,
  secrets: readonly string[],
): ProviderError {
  const said = messageOf(answer, secrets);
  // What is not JSON comes from something on the way. Only a server error, where that is usual, keeps its own kind.
  if (said === undefined && answer.status < 500) return notJson(endpoint, command, answer);
  const { code, what, remedy } = kindOf(answer.status, said ?? "");
  const words = said ? `: ${said.replace(/\.$/, "")}` : "";
  return new ProviderError(code, `${endpoint.url} ${what} ${command} (status ${answer.status})${words}.`, remedy);
}

function kindOf(status: number, said: string): Kind {
  // Whatever the status: the service's own API says this to every command that only gateways have.
  if (/not available on public gateway/i.test(said)) {
    return {
      code: "AKEYLESS_PUBLIC_GATEWAY",
      what: "refused",
      remedy: "Auth configs live on a gateway of your own: give the URL of its REST API (https://GATEWAY:8000/api/v2).",
    };
  }
  if (status === 400 && /already exist/i.test(said)) return kindOf(409, "");
  const known = kinds[status];
  if (known) return known;
  if (status >= 500) return { code: "AKEYLESS_FAILED", what: "failed at", remedy: "Look at the gateway's log." };
  return { code: "AKEYLESS_STATUS", what: "answered", remedy: "Check that this is the base URL of its REST API." };
}

/** What the server said, without the secrets that it may repeat; undefined for an answer that is not JSON. */
function messageOf({ text }: RawAnswer, secrets: readonly string[]): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { error, message } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  let said = [error, message].find((words) => typeof words === "string") as string | undefined;
  for (const secret of secrets) said = said?.replaceAll(secret, "[secret]");
  return (said ?? "").replaceAll(/\s+/g, " ").trim().slice(0, 500);
}
