/** Methods and paths of requests that a gateway asks about. Pure. */
import type { IncomingMessage } from "node:http";
import { VerifierError } from "../errors.ts";
import { matchesGlob } from "./glob.ts";

/** Requests that a rule is for. */
export interface Route {
  /** `undefined`: every method. */
  readonly methods: readonly string[] | undefined;
  /** With `*` for any run of characters and `?` for one. */
  readonly path: string;
}

/** A caller's request. */
export interface Question {
  readonly method: string;
  /** As the caller sent it, without query; percent-encoding is kept. */
  readonly path: string;
}

/** Where gateways put the caller's request. */
export const pathSources = ["request-line", "x-original-uri", "x-original-url", "x-forwarded-uri"] as const;
export type PathSource = (typeof pathSources)[number];

/**
 * Reads `[METHOD|METHOD…] PATH`, for instance `GET|HEAD /orders/*`; without methods, or with `*`, for all.
 *
 * @throws VerifierError CONFIG_INVALID
 */
export function parseRoute(text: string): Route {
  const found = /^(?:([A-Z]+(?:\|[A-Z]+)*|\*) )?(\/[\x21-\x7e]*)$/.exec(text);
  const path = found?.[2];
  // A rule for what no request is compared with would never match.
  if (path !== undefined && !isAmbiguous(path.replaceAll("*", "x"))) {
    const methods = found?.[1];
    return { methods: methods === undefined || methods === "*" ? undefined : methods.split("|"), path };
  }
  throw new VerifierError(
    "CONFIG_INVALID",
    `${JSON.stringify(text)} is not METHOD|METHOD PATH, for example GET|HEAD /orders/*. A path begins with / and has no query, no encoded / . \\ or %, no ; and no segment . or .. or empty segment.`,
  );
}

export function matchesRoute({ methods, path }: Route, question: Question): boolean {
  return (methods?.includes(question.method) ?? true) && matchesGlob(path, question.path);
}

/**
 * The caller's request; `undefined` where it is missing, sent twice, or has a path that servers read in different ways: a rule that looked
 * at one of its readings would say nothing of the others.
 */
export function questionOf(request: IncomingMessage, source: PathSource): Question | undefined {
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

/** Encoded or doubled separators, dot segments and path parameters, which some servers resolve and others do not. */
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
