/** Answers to callers and gateways: status, headers, body. Pure. */
import { type RefusalReason, refusals } from "../errors.ts";
import type { Route } from "../rules/routes.ts";
import { type Identity, identityJson } from "../token/identity.ts";

/** Headers as a flat list (name, value, …), the fastest form for node:http. */
export type RawHeaders = readonly string[];

/** The answer for an accepted token, ready to be sent. */
export interface AcceptedAnswer {
  readonly identity: Identity;
  /** Requests that the rules allow. */
  readonly routes: "all" | readonly Route[];
  readonly headers: RawHeaders;
  readonly body: string;
}

/** Memory of an accepted answer without its strings. */
const emptyAnswerBytes = 1_024;

/**
 * The identity headers. A header is empty if the token lacks its claim, and is never absent: a gateway that copies headers by name then
 * overwrites those of a client. Envoy keeps the client's header if the answer lacks it.
 */
export function identityHeaders(identity: Identity): RawHeaders {
  return [
    ...["X-K8sauth-Subject", identity.subject],
    ...["X-K8sauth-Issuer", identity.issuer],
    ...["X-K8sauth-Audience", identity.audience],
    ...["X-K8sauth-Namespace", identity.namespace],
    ...["X-K8sauth-Service-Account-Name", identity.serviceAccountName],
    ...["X-K8sauth-Service-Account-Uid", identity.serviceAccountUid],
    ...["X-K8sauth-Pod-Name", identity.podName ?? ""],
    ...["X-K8sauth-Pod-Uid", identity.podUid ?? ""],
    ...["X-K8sauth-Secret-Name", identity.secretName ?? ""],
  ];
}

export function acceptedAnswer(identity: Identity, routes: AcceptedAnswer["routes"] = "all"): AcceptedAnswer {
  const body = `${identity.subject}\n`;
  const headers = [...content("text/plain; charset=utf-8", body), ...identityHeaders(identity)];
  return { identity, routes, headers, body };
}

/** The answer for a request that needs no token. Its empty identity headers overwrite those of a client. */
export function uncheckedAnswer(): Pick<AcceptedAnswer, "headers" | "body"> {
  const body = "No token is needed.\n";
  const empty = identityHeaders({} as Identity).map((text, at) => (at % 2 === 0 ? text : ""));
  return { headers: [...content("text/plain; charset=utf-8", body), ...empty], body };
}

/** Estimated memory of an accepted answer, in bytes. A character has up to two. The headers share the strings of the identity. */
export function acceptedBytes({ identity, body }: AcceptedAnswer): number {
  return emptyAnswerBytes + 2 * (identityJson(identity).length + body.length);
}

/** The same answer with a JSON body. */
export function acceptedJson({ identity, routes }: AcceptedAnswer): AcceptedAnswer {
  const body = identityJson(identity);
  const headers = [...content("application/json", body), ...identityHeaders(identity)];
  return { identity, routes, headers, body };
}

export interface RefusedAnswer {
  readonly status: 401 | 403 | 503;
  readonly headers: RawHeaders;
  readonly body: string;
}

export interface RefusalDetail {
  readonly realm: string;
  readonly requestId: string;
  /** Whether the body is JSON. Otherwise it is text. */
  readonly asJson: boolean;
  /** @default 1 */
  readonly retryAfterSeconds?: number | undefined;
}

/**
 * The answer for a refused request. 401 and 403 have a challenge (RFC 6750, section 3), without an error code if no token was sent. 503 has
 * Retry-After. A malformed request gets 401 instead of the 400 of section 3.1, because gateways treat only 401 and 403 as a denial.
 */
export function refusedAnswer(reason: RefusalReason, detail: RefusalDetail): RefusedAnswer {
  const { status, error, text } = refusals[reason];
  const body = detail.asJson
    ? `${JSON.stringify({ error: error || reason, error_description: text, reason, request_id: detail.requestId })}\n`
    : `${text} (request ${detail.requestId})\n`;
  const headers = [
    ...content(detail.asJson ? "application/json" : "text/plain; charset=utf-8", body),
    ...["X-Request-Id", detail.requestId],
    ...(status === 503
      ? ["Retry-After", String(detail.retryAfterSeconds ?? 1)]
      : ["WWW-Authenticate", challenge(detail.realm, error, text)]),
  ];
  return { status, headers, body };
}

function challenge(realm: string, error: string, text: string): string {
  const more = error ? `, error="${error}", error_description="${text}"` : "";
  return `Bearer realm="${realm}"${more}`;
}

function content(type: string, body: string): string[] {
  // An answer depends on the token, so no cache may keep it.
  return ["Content-Type", type, "Content-Length", String(Buffer.byteLength(body)), "Cache-Control", "no-store"];
}
