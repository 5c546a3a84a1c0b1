/** Matches the method and path of a caller's request. Pure. */
import type { IncomingMessage } from "node:http";
import { VerifierError } from "../errors.ts";

/** Requests that a rule applies to. */
export interface Route {
  /** `undefined`: every method. */
  readonly methods: readonly string[] | undefined;
  /** A glob: `*` is any run of characters, `?` is one. */
  readonly path: string;
}

/** The request of a caller, which a gateway reports. */
export interface CallerRequest {
  readonly method: string;
  /** Without query. Percent-encoding is kept. */
  readonly path: string;
}

/** Headers in which gateways send the caller's request. */
export const pathSources = ["request-line", "x-original-uri", "x-original-url", "x-forwarded-uri"] as const;
export type PathSource = (typeof pathSources)[number];

/**
 * Parses `[METHOD|METHOD…] PATH`, for example `GET|HEAD /orders/*`. Without methods, or with `*`, it applies to all methods.
 *
 * @throws VerifierError CONFIG_INVALID
 */
export function parseRoute(text: string): Route {
  const found = /^(?:([A-Z]+(?:\|[A-Z]+)*|\*) )?(\/[\x21-\x7e]*)$/.exec(text);
  const path = found?.[2];
  // Requests with an ambiguous path match no rule.
  if (path !== undefined && !isAmbiguous(path.replaceAll("*", "x"))) {
    const methods = found?.[1];
    return { methods: methods === undefined || methods === "*" ? undefined : methods.split("|"), path };
  }
  throw new VerifierError(
    "CONFIG_INVALID",
    `${JSON.stringify(text)} is not METHOD|METHOD PATH, for example GET|HEAD /orders/*. A path begins with / and has no query, no encoded / . \\ or %, no ; and no segment . or .. or empty segment.`,
  );
}

export function matchesRoute({ methods, path }: Route, request: CallerRequest): boolean {
  return (methods?.includes(request.method) ?? true) && matchesGlob(path, request.path);
}

/**
 * The caller's request; `undefined` if it is missing or sent twice. It is also `undefined` if servers interpret its path in different ways,
 * because a rule could match only one of the interpretations.
 */
export function callerRequestOf(request: IncomingMessage, source: PathSource): CallerRequest | undefined {
  const [method, target] =
    source === "request-line"
      ? [request.method, request.url]
      : [
          single(request, source === "x-forwarded-uri" ? "x-forwarded-method" : "x-original-method"),
          single(request, source),
        ];
  const path = target === undefined ? undefined : pathOf(target);
  return method === undefined || path === undefined || !/^[A-Z-]+$/.test(method) ? undefined : { method, path };
}

/** Path of a request target or URL. */
function pathOf(target: string): string | undefined {
  const [path = ""] = target.replace(/^https?:\/\/[^/?#]*/i, "").split(/[?#]/, 1);
  return isAmbiguous(path) ? undefined : path;
}

/** Whether a path has encoded or doubled separators, dot segments or path parameters, which only some servers resolve. */
function isAmbiguous(path: string): boolean {
  return !/^\/[\x21-\x7e]*$/.test(path) || /\/\/|[\\;]|%(?:2[ef5]|5c|00|3b)|\/\.{1,2}(?:\/|$)/i.test(path);
}

function single({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  let value: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== name) continue;
    if (value !== undefined) return undefined;
    value = rawHeaders[at + 1];
  }
  return value;
}

/** Whether a text matches a glob. It backtracks to the last star only, so the time is at most proportional to the product of the lengths. */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
