/** What callers and gateways get: status, fixed headers, tiny bodies. Pure. */
import { type RefusalReason, refusals } from "../errors.ts";
import { type Identity, identityJson } from "../token/identity.ts";

/** Headers as a flat list (name, value, …): what node:http writes fastest. */
export type RawHeaders = readonly string[];

/** An accepted caller's answer in both forms, ready to be sent. */
export interface AcceptedAnswer {
  readonly identity: Identity;
  readonly headers: RawHeaders;
  readonly body: string;
  readonly jsonHeaders: RawHeaders;
  readonly jsonBody: string;
}

/** All identity headers begin with this: gateways take these from us, and from nobody else. */
export const headerPrefix = "X-K8sauth-";

/**
 * The identity headers. All of them, always, empty where a token carries no such claim: gateways that copy headers by name
 * then also overwrite what a client sent under the name (Envoy keeps the client's when ours is missing).
 */
export function identityHeaders(identity: Identity): RawHeaders {
  const values = {
    Subject: identity.subject,
    Issuer: identity.issuer,
    Audience: identity.audience,
    Namespace: identity.namespace,
    "Service-Account-Name": identity.serviceAccountName,
    "Service-Account-Uid": identity.serviceAccountUid,
    "Pod-Name": identity.podName,
    "Pod-Uid": identity.podUid,
    "Secret-Name": identity.secretName,
  };
  return Object.entries(values).flatMap(([name, value]) => [headerPrefix + name, value ?? ""]);
}

export function acceptedAnswer(identity: Identity): AcceptedAnswer {
  const headers = identityHeaders(identity);
  const body = `${identity.subject}\n`;
  const jsonBody = identityJson(identity);
  return {
    identity,
    headers: [...content("text/plain; charset=utf-8", body), ...headers],
    body,
    jsonHeaders: [...content("application/json", jsonBody), "Cache-Control", "no-store", ...headers],
    jsonBody,
  };
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
    ...["Cache-Control", "no-store"],
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
  return ["Content-Type", type, "Content-Length", String(Buffer.byteLength(body))];
}
