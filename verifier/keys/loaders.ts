/** One look at where an issuer's keys are: files, a key set, a discovery document, the API server. */
import type { Clock } from "../clock.ts";
import type { KeySource } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { readText } from "../net/fileSource.ts";
import type { Remote, RemoteAnswer } from "../net/remote.ts";
import { freshForMs } from "./freshness.ts";
import { isNoneUsable, joinKeySets, type KeySet, parseJwks, parseKeyFile } from "./keySet.ts";

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
  if (source.kind === "files") {
    let isStart = true;
    return async () => {
      const loaded = await fromFiles(source.files, issuer ?? "", isStart);
      isStart = false;
      return loaded;
    };
  }
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

/**
 * Refuses keys of an issuer that another entry has: with them, tokens of one cluster would be decided about as the other's. A cluster
 * decides what its discovery document says, so a name that was learned never prevails over one that is configured.
 *
 * @param name of the entry that the keys are for
 * @param ownerOf name of the other entry that has an issuer
 */
export function refusingTaken(load: Loader, name: string, ownerOf: (issuer: string) => string | undefined): Loader {
  return async () => {
    const loaded = await load();
    const owner = ownerOf(loaded.issuer);
    if (owner === undefined) return loaded;
    throw new VerifierError(
      "DISCOVERY_ISSUER_TAKEN",
      `The issuer that ${JSON.stringify(name)} learned is ${JSON.stringify(loaded.issuer)}, which is the issuer of ${JSON.stringify(owner)}. Its keys are not used. Check the addresses of ${JSON.stringify(name)} (apiServer, discoveryUrl). Two clusters with the same issuer need a verifier each, or another --service-account-issuer in one of them.`,
    );
  };
}

/** At the start each file must hold a key. Later one of several may come to hold none, which withdraws its keys alone. */
async function fromFiles(files: readonly string[], issuer: string, isStart: boolean): Promise<Loaded> {
  const read = async (file: string): Promise<KeySet> => {
    const text = await readText(file);
    try {
      return parseKeyFile(text, file);
    } catch (error) {
      if (isStart || files.length === 1 || !isNoneUsable(error)) throw error;
      return { keys: [], leftOut: [error.message] };
    }
  };
  const set = joinKeySets(await Promise.all(files.map(read)));
  if (set.keys.length > 0) return { set, issuer, freshForMs: fileFreshMs };
  throw new VerifierError("KEYS_NONE_USABLE", set.leftOut.join(" "));
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
  const parsed = URL.parse(jwksUri);
  if (parsed?.protocol !== "https:" || parsed.username || parsed.password) {
    throw new VerifierError(
      "DISCOVERY_JWKS_URI",
      `${url} names a key set that is not at an https address without a user.`,
    );
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
