/** Loads an issuer's key set once: from files, a JWKS URL, a discovery document or the API server. */
import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../clock.ts";
import type { KeySource } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { readText } from "../net/fileSource.ts";
import type { HttpsAnswer, HttpsClient } from "../net/httpsClient.ts";
import { isNoneUsable, joinKeySets, type KeySet, parseJwks, parseKeyFile } from "./keySet.ts";

export interface LoadedKeys {
  readonly set: KeySet;
  /** Value of `iss` in tokens of these keys. */
  readonly issuer: string;
  /** Time until the keys are stale, in milliseconds. */
  readonly freshForMs: number;
}

export type KeyLoader = () => Promise<LoadedKeys>;

/** The kubelet can replace mounted files at any time. */
const fileFreshMs = 10_000;
const timeoutMs = 5_000;
const maxKeySetBytes = 512 * 1024;
const maxDocumentBytes = 64 * 1024;

/**
 * @param issuer value of `iss`; `undefined` if the discovery document states it
 * @param client connects to the source's server; `undefined` for files
 */
export function keyLoader(
  source: KeySource,
  issuer: string | undefined,
  client: HttpsClient | undefined,
  clock: Clock,
): KeyLoader {
  if (source.kind === "files") {
    let isFirst = true;
    return async () => {
      const loaded = await fromFiles(source.files, issuer ?? "", isFirst);
      isFirst = false;
      return loaded;
    };
  }
  if (!client) throw new TypeError(`a key source of the kind ${source.kind} needs an HTTPS client`);
  const { url, caFile, tokenFile } = source.endpoint;
  switch (source.kind) {
    case "jwks":
      return () => fromJwks(url, issuer ?? "", client, clock);
    case "api-server":
      return async () => {
        const document = issuer === undefined ? await discover(url, undefined, client) : { issuer };
        return fromJwks(`${url}/openid/v1/jwks`, document.issuer, client, clock);
      };
    case "discovery":
      return async () => {
        const document = await discover(url, issuer, client);
        // Another server than that of the document gets the token only if `caFile` authenticates it, and not a public CA.
        const authenticated = tokenFile !== undefined && (caFile !== undefined || sameOrigin(url, document.jwksUri));
        return fromJwks(document.jwksUri, document.issuer, client, clock, authenticated);
      };
  }
}

/** At the first load, each file must contain a usable key. Later, a file without one withdraws only its own keys. */
async function fromFiles(files: readonly string[], issuer: string, isFirst: boolean): Promise<LoadedKeys> {
  const read = async (file: string): Promise<KeySet> => {
    const text = await readText(file);
    try {
      return parseKeyFile(text, file);
    } catch (error) {
      if (isFirst || files.length === 1 || !isNoneUsable(error)) throw error;
      return { keys: [], leftOut: [error.message] };
    }
  };
  const set = joinKeySets(await Promise.all(files.map(read)));
  if (set.keys.length > 0) return { set, issuer, freshForMs: fileFreshMs };
  throw new VerifierError("KEYS_NONE_USABLE", set.leftOut.join(" "));
}

async function fromJwks(
  url: string,
  issuer: string,
  client: HttpsClient,
  clock: Clock,
  authenticated = true,
): Promise<LoadedKeys> {
  const answer = await get(url, client, maxKeySetBytes, authenticated);
  return { set: parseJwks(answer.text, url), issuer, freshForMs: freshForMs(answer.headers, clock.now()) };
}

/** Reads the discovery document. Its `issuer` must equal the configured one (OpenID Connect Discovery 1.0, section 4.3). */
async function discover(
  base: string,
  issuer: string | undefined,
  client: HttpsClient,
): Promise<{ issuer: string; jwksUri: string }> {
  const url = `${base}/.well-known/openid-configuration`;
  const { text } = await get(url, client, maxDocumentBytes, true);
  let document: { issuer?: unknown; jwks_uri?: unknown } | null;
  try {
    document = JSON.parse(text);
  } catch {
    throw new VerifierError("DISCOVERY_MALFORMED", `${url} is not JSON: expected a discovery document.`);
  }
  const { issuer: found, jwks_uri: jwksUri } = document ?? {};
  if (typeof found !== "string" || !/^[\x21-\x7e]{1,1024}$/.test(found) || typeof jwksUri !== "string") {
    throw new VerifierError(
      "DISCOVERY_MALFORMED",
      `${url} is not a discovery document: expected "issuer" and "jwks_uri".`,
    );
  }
  if (issuer !== undefined && found !== issuer) {
    throw new VerifierError(
      "DISCOVERY_ISSUER_MISMATCH",
      `${url} names the issuer ${JSON.stringify(found)}: expected ${JSON.stringify(issuer)}. Set issuer to the iss of the tokens, and discoveryUrl to the base URL of that issuer's document.`,
    );
  }
  const parsed = URL.parse(jwksUri);
  if (parsed?.protocol !== "https:" || parsed.username || parsed.password) {
    throw new VerifierError("DISCOVERY_JWKS_URI", `${url} has a jwks_uri that is not an https URL without a user.`);
  }
  return { issuer: found, jwksUri };
}

async function get(url: string, client: HttpsClient, maxBytes: number, authenticated: boolean): Promise<HttpsAnswer> {
  const ask = () => client.send({ method: "GET", url, timeoutMs, maxBytes, authenticated });
  let answer = await ask();
  if (answer.status === 401 && authenticated) {
    client.expireToken();
    answer = await ask();
  }
  if (answer.status === 200) return answer;
  const remedy =
    answer.status === 401 || answer.status === 403
      ? "Bind the verifier's ServiceAccount to the ClusterRole system:service-account-issuer-discovery."
      : answer.status === 404
        ? "An API server whose issuer is not an https URL publishes no keys. Use tokenreview or jwt-pubkey."
        : "Expected 200.";
  throw new VerifierError("NET_STATUS", `GET ${url} was answered with ${answer.status}. ${remedy}`, {
    status: answer.status,
  });
}

function sameOrigin(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}

/** Bounds of the time for which keys from a server are fresh. */
export const minFreshMs = 30_000;
export const maxFreshMs = 3_600_000;
const defaultFreshMs = 300_000;

/**
 * How long an answer is fresh by its headers (RFC 9111), in milliseconds: at least 30 s, and at most an hour. Without such headers 5 minutes.
 */
export function freshForMs(headers: IncomingHttpHeaders, nowMs: number): number {
  return Math.min(maxFreshMs, Math.max(minFreshMs, statedFreshMs(headers, nowMs)));
}

function statedFreshMs(headers: IncomingHttpHeaders, nowMs: number): number {
  const control = String(headers["cache-control"] ?? "").toLowerCase();
  if (/\b(no-store|no-cache)\b/.test(control)) return minFreshMs;
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,10})"?/.exec(control)?.[1];
  if (maxAge !== undefined) {
    const age = Number(headers.age ?? 0);
    return (Number(maxAge) - (Number.isFinite(age) && age > 0 ? age : 0)) * 1000;
  }
  if (typeof headers.expires === "string") {
    const date = typeof headers.date === "string" ? Date.parse(headers.date) : nowMs;
    const lasts = Date.parse(headers.expires) - (Number.isNaN(date) ? nowMs : date);
    // An invalid date, such as "0", is in the past (RFC 9111, section 5.3).
    return Number.isNaN(lasts) ? minFreshMs : lasts;
  }
  return defaultFreshMs;
}
