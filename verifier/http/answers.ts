/** What callers and gateways get: status, fixed headers, tiny bodies. Pure. */
import { type RefusalReason, refusals } from "../errors.ts";
import { type Identity, identityJson } from "../token/identity.ts";

/** Headers as a flat list (name, value, …): what node:http writes fastest. */
export type RawHeaders = readonly string[];

/** An accepted caller's answer, ready to be sent. */
export interface AcceptedAnswer {
  readonly identity: Identity;
  readonly headers: RawHeaders;
  readonly body: string;
}

/** All identity headers begin with this: gateways take these from us, and from nobody else. */
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

export function acceptedAnswer(identity: Identity): AcceptedAnswer {
  const body = `${identity.subject}\n`;
  return { identity, headers: [...content("text/plain; charset=utf-8", body), ...identityHeaders(identity)], body };
}

/** The same for whoever asks for JSON; made when it is asked for. */
export function acceptedJson({ identity }: AcceptedAnswer): AcceptedAnswer {
  const body = identityJson(identity);
  const headers = [...content("application/json", body), "Cache-Control", "no-store", ...identityHeaders(identity)];
  return { identity, headers, body };
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
