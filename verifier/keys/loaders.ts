/** One look at where an issuer's keys are: files, a key set, a discovery document, the API server. */
import type { Clock } from "../clock.ts";
import type { KeySource } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { readText } from "../net/fileSource.ts";
import type { Remote, RemoteAnswer } from "../net/remote.ts";
import { freshForMs } from "./freshness.ts";
import { joinKeySets, type KeySet, parseJwks, parseKeyFile } from "./keySet.ts";

export interface Loaded {
  readonly set: KeySet;
  /** The issuer whose keys these are. */
  readonly issuer: string;
  /** When to look again, in milliseconds. */
  readonly freshForMs: number;
}

export type Loader = () => Promise<Loaded>;

/** Files are looked at as often as kubelet may have replaced them. */
const fileFreshMs = 10_000;
const timeoutMs = 5_000;
const maxKeySetBytes = 512 * 1024;
const maxDocumentBytes = 64 * 1024;

/**
 * @param issuer value of `iss`; `undefined` where it is to be learned
 * @param remote the source's server; `undefined` for files
 */
export function keyLoader(
  source: KeySource,
  issuer: string | undefined,
  remote: Remote | undefined,
  clock: Clock,
): Loader {
  if (source.kind === "files") return () => fromFiles(source.files, issuer ?? "");
  if (!remote) throw new TypeError("keys from a server need one");
  const { url, caFile, tokenFile } = source.endpoint;
  switch (source.kind) {
    case "jwks":
      return () => fromKeySet(url, issuer ?? "", remote, clock);
    case "api-server":
      return async () => {
        const document = issuer === undefined ? await discover(url, undefined, remote) : { issuer };
        return fromKeySet(`${url}/openid/v1/jwks`, document.issuer, remote, clock);
      };
    case "discovery":
      return async () => {
        const document = await discover(url, issuer, remote);
        // Our token goes to another server only where that one proves to be of the cluster's own CA.
        const authenticated = tokenFile !== undefined && (caFile !== undefined || sameOrigin(url, document.jwksUri));
        return fromKeySet(document.jwksUri, document.issuer, remote, clock, authenticated);
      };
  }
}

async function fromFiles(files: readonly string[], issuer: string): Promise<Loaded> {
  const sets = await Promise.all(files.map(async (file) => parseKeyFile(await readText(file), file)));
  return { set: joinKeySets(sets), issuer, freshForMs: fileFreshMs };
}

async function fromKeySet(
  url: string,
  issuer: string,
  remote: Remote,
  clock: Clock,
  authenticated = true,
): Promise<Loaded> {
  const answer = await get(url, remote, maxKeySetBytes, authenticated);
  return { set: parseJwks(answer.text, url), issuer, freshForMs: freshForMs(answer.headers, clock.now()) };
}

/** OpenID Connect Discovery 1.0 §4: the document has to be of the very issuer that was asked for. */
async function discover(
  base: string,
  issuer: string | undefined,
  remote: Remote,
): Promise<{ issuer: string; jwksUri: string }> {
  const url = `${base}/.well-known/openid-configuration`;
  const { text } = await get(url, remote, maxDocumentBytes, true);
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
      `${url} is no discovery document: expected "issuer" and "jwks_uri".`,
    );
  }
  if (issuer !== undefined && found !== issuer) {
    throw new VerifierError(
      "DISCOVERY_ISSUER_MISMATCH",
      `${url} is of the issuer ${JSON.stringify(found)}: expected ${JSON.stringify(issuer)}. Set the issuer to what tokens carry, and discoveryUrl to where its document is.`,
    );
  }
  if (URL.parse(jwksUri)?.protocol !== "https:") {
    throw new VerifierError("DISCOVERY_JWKS_URI", `${url} names a key set that is not at an https address.`);
  }
  return { issuer: found, jwksUri };
}

async function get(url: string, remote: Remote, maxBytes: number, authenticated: boolean): Promise<RemoteAnswer> {
  const ask = () => remote.send({ method: "GET", url, timeoutMs, maxBytes, authenticated });
  let answer = await ask();
  if (answer.status === 401 && authenticated) {
    remote.expireToken();
    answer = await ask();
  }
  if (answer.status === 200) return answer;
  const remedy =
    answer.status === 401 || answer.status === 403
      ? "Bind the verifier's ServiceAccount to the ClusterRole system:service-account-issuer-discovery."
      : answer.status === 404
        ? "An API server whose issuer is no https URL publishes no keys: use tokenreview or jwt-pubkey."
        : "Expected 200.";
  throw new VerifierError("NET_STATUS", `GET ${url} was answered with ${answer.status}. ${remedy}`, {
    status: answer.status,
  });
}

function sameOrigin(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}
