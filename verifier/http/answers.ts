/** What callers and gateways get: status, fixed headers, tiny bodies. Pure. */
import { type RefusalReason, refusals } from "../errors.ts";
import type { Route } from "../rules/routes.ts";
import { type Identity, identityJson } from "../token/identity.ts";

/** Headers as a flat list (name, value, …): what node:http writes fastest. */
export type RawHeaders = readonly string[];

/** An accepted caller's answer, ready to be sent. */
export interface AcceptedAnswer {
  readonly identity: Identity;
  /** Requests that its caller is let in for. */
  readonly routes: "all" | readonly Route[];
  readonly headers: RawHeaders;
  readonly body: string;
}

/** Objects of an accepted answer beside its strings. */
const answerBytes = 1_024;

/** Prefix of all identity headers. Gateways must accept them from the verifier alone. */
export const headerPrefix = "X-K8sauth-";

/**
 * The identity headers. All of them, always, empty where a token carries no such claim: gateways that copy headers by name
 * then also overwrite what a client sent under the name (Envoy keeps the client's when ours is missing).
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

/** The answer for a request that needs no token. Identity headers are empty, which overwrites those of a client. */
export function uncheckedAnswer(): Pick<AcceptedAnswer, "headers" | "body"> {
  const body = "No token is needed.\n";
  const empty = identityHeaders({} as Identity).map((text, at) => (at % 2 === 0 ? text : ""));
  return { headers: [...content("text/plain; charset=utf-8", body), ...empty], body };
}

/** Memory of an accepted answer: strings of two bytes a character, in the identity and once more as headers and body. */
export function acceptedBytes({ identity, headers, body }: AcceptedAnswer): number {
  return answerBytes + 2 * (identityJson(identity).length + body.length + headers.length);
}

/** The same as JSON, created on demand. */
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
  readonly asJson: boolean;
  readonly retryAfterSeconds?: number | undefined;
}

/**
 * 401 and 403 with a challenge (RFC 6750 §3; without an error code where no token was sent), 503 with Retry-After. A malformed
 * request is 401 and not the 400 that RFC 6750 §3.1 recommends: gateways take 401 and 403 as a denial, and all else as our failure.
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
  // No answer may be given to another request.
  return ["Content-Type", type, "Content-Length", String(Buffer.byteLength(body)), "Cache-Control", "no-store"];
}
