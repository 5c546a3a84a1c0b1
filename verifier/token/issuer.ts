/** One configured issuer at work: its keys, its API server, and whether they are usable. */
import type { Clock } from "../clock.ts";
import type { Config, Endpoint, IssuerConfig, Mode } from "../config/config.ts";
import { VerifierError } from "../errors.ts";
import { Keyring, type KeyringAttempt } from "../keys/keyring.ts";
import { keyLoader, type Loader, refusingTaken } from "../keys/loaders.ts";
import { errorFields, LineLimit, type Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { HttpsRemote, type Remote } from "../net/remote.ts";
import { Reviewer } from "../review/reviewer.ts";
import { ReviewRights } from "../review/rights.ts";
import { ApiAudiences } from "./apiAudiences.ts";
import { Authority } from "./authority.ts";

/** A cluster can refuse to publish its keys for as long as it likes. */
const maxPublishedRetryMs = 60_000;

export interface IssuerContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly connect: ((endpoint: Endpoint) => Remote) | undefined;
  readonly signal: AbortSignal;
  readonly metrics: () => Metrics;
}

export interface Issuer {
  readonly name: string;
  readonly mode: Mode;
  readonly authority: Authority;
  readonly keyring: Keyring | undefined;
  readonly reviewer: Reviewer | undefined;
  /**
   * `undefined` once it is usable. An outage does not change that: it must not take all replicas away at once. An API server that
   * rejects reviews does, until one is done again.
   */
  unreadyReason(): string | undefined;
  /** Whether the first attempts are over, whatever came of them. */
  isSettled(): boolean;
  start(): void;
  stop(): Promise<void>;
}

/** An API server that is asked for reviews, and whether it does them. */
interface Reviewing {
  readonly reviewer: Reviewer;
  readonly rights: ReviewRights;
}

/**
 * Makes all issuers; those that share an API server share its connections and its limit on reviews.
 *
 * @throws VerifierError FILE_UNREADABLE, KEYS_… for key files, which do not get better by waiting
 */
export async function issuersOf(config: Config, context: IssuerContext): Promise<readonly Issuer[]> {
  const remotes = new Map<string, Remote>();
  const reviewers = new Map<Remote, Reviewing>();
  const connect = context.connect ?? ((endpoint: Endpoint) => new HttpsRemote(endpoint, context.clock));
  const remoteOf = (endpoint: Endpoint): Remote => {
    const key = JSON.stringify(endpoint);
    const remote = remotes.get(key) ?? connect(endpoint);
    remotes.set(key, remote);
    return remote;
  };
  const reviewingOf = (endpoint: Endpoint): Reviewing => {
    const remote = remoteOf(endpoint);
    const reviewing = reviewers.get(remote) ?? makeReviewing(endpoint.url, remote, config, context);
    reviewers.set(remote, reviewing);
    return reviewing;
  };
  const closeAll = () => {
    for (const remote of remotes.values()) remote.close();
  };
  return Promise.all(config.issuers.map((one) => makeIssuer(one, config, context, remoteOf, reviewingOf, closeAll)));
}

function makeReviewing(url: string, remote: Remote, config: Config, { clock, log, signal, metrics }: IssuerContext) {
  const limit = new LineLimit(5, clock.monotonic);
  const reviewer = new Reviewer({
    url,
    remote,
    clock,
    timeoutMs: config.reviewTimeoutSeconds * 1000,
    maxReviews: config.maxReviews,
    maxRemembered: config.cacheEntries,
    onReview: (outcome, ms) => {
      metrics().reviewed(outcome, ms);
      if (outcome === "accepted" || outcome === "refused") rights.regained();
    },
    onError: (error, outcome) => {
      if (outcome === "rejected") rights.lost(error);
      const admitted = limit.admit();
      if (admitted) log.error({ ...errorFields(error), outcome, ...admitted }, "a token could not be reviewed");
    },
  });
  const rights: ReviewRights = new ReviewRights({ url, reviewer, clock, log, signal });
  return { reviewer, rights };
}

async function makeIssuer(
  issuer: IssuerConfig,
  config: Config,
  context: IssuerContext,
  remoteOf: (endpoint: Endpoint) => Remote,
  reviewingOf: (endpoint: Endpoint) => Reviewing,
  closeAll: () => void,
): Promise<Issuer> {
  const { clock } = context;
  const keyring = issuer.keys && (await makeKeyring(issuer, config, context, remoteOf));
  const published = issuer.mode === "tokenreview" ? publishedKeys(issuer, context, remoteOf) : undefined;
  const { reviewer, rights } = issuer.review ? reviewingOf(issuer.review) : {};
  const apiAudiences = learnedAudiences(issuer, context);
  const authority = new Authority({
    config: issuer,
    keyring,
    published,
    apiAudiences,
    reviewer,
    clock,
    localCacheSeconds: config.localCacheSeconds,
    reviewCacheSeconds: config.reviewCacheSeconds,
    reviewOutage: config.reviewOutage,
  });
  return {
    name: issuer.name,
    mode: issuer.mode,
    authority,
    keyring: keyring ?? published,
    reviewer,
    unreadyReason: () => {
      if (keyring && !keyring.isLoaded) {
        return `The keys of ${issuer.name} are not loaded: ${reasonOf(keyring.problem)}`;
      }
      if (keyring?.withdrawal !== undefined) return `The keys of ${issuer.name} are withdrawn: ${keyring.withdrawal}`;
      if (!rights || rights.granted) return undefined;
      if (rights.problem) return `Tokens of ${issuer.name} cannot be reviewed: ${rights.problem}`;
      return `It is not known yet that tokens of ${issuer.name} can be reviewed.`;
    },
    isSettled: () => (keyring?.wasTried ?? true) && (rights?.wasTried ?? true),
    start: () => {
      void apiAudiences?.get();
      keyring?.start();
      published?.start();
      rights?.start();
    },
    stop: async () => {
      await Promise.all([keyring?.stop(), published?.stop(), rights?.stop()]);
      closeAll();
    },
  };
}

/** Why there are no keys, in words that are ours. */
function reasonOf(problem: unknown): string {
  if (problem === undefined) return "they are being fetched.";
  return problem instanceof VerifierError ? problem.message : "see the log.";
}

async function makeKeyring(
  own: IssuerConfig,
  config: Config,
  { clock, log, metrics }: IssuerContext,
  remoteOf: (endpoint: Endpoint) => Remote,
): Promise<Keyring | undefined> {
  const { name, issuer, keys } = own;
  if (!keys) return undefined;
  const ownerOf = (learned: string) => config.issuers.find((one) => one !== own && one.issuer === learned)?.name;
  const source = keyLoader(keys, issuer, keys.kind === "files" ? undefined : remoteOf(keys.endpoint), clock);
  const load: Loader = issuer === undefined ? refusingTaken(source, name, ownerOf) : source;
  // Mounted files are there before the process is: what is wrong with them now is a mistake.
  if (keys.kind === "files") await load();
  const onAttempt = (attempt: KeyringAttempt) => {
    metrics().keysRefreshed(name, attempt.ok);
    if (!attempt.ok) {
      const fields = { issuer: name, ...errorFields(attempt.error) };
      if (isTaken(attempt.error)) return log.error(fields, "the keys are refused: another entry has their issuer");
      return log.warn(fields, "the keys could not be refreshed");
    }
    if (!attempt.changed) return;
    const { set, issuer: of } = attempt.loaded;
    const keys = set.keys.map(({ kid, thumbprint }) => kid ?? thumbprint);
    const fields = { issuer: name, iss: of, keys, leftOut: set.leftOut };
    if (keys.length > 0) log.info(fields, "the keys changed");
    else log.error(fields, "the issuer has withdrawn its keys: all its tokens are refused");
  };
  // Files come late as it is; a server may have published the key of a token since we asked it.
  const waits = keys.kind !== "files";
  return new Keyring({ load, clock, waits, maxStaleMs: config.maxStaleKeysSeconds * 1000, onAttempt });
}

function learnedAudiences(issuer: IssuerConfig, { clock, log }: IssuerContext): ApiAudiences | undefined {
  const { name, audiences: accepted, apiTokenFile } = issuer;
  if (apiTokenFile === undefined) return undefined;
  return new ApiAudiences(apiTokenFile, clock, (audiences) => {
    const own = accepted.find((one) => audiences.includes(one));
    if (own === undefined) return log.info({ issuer: name, audiences }, "the API server's audiences are known");
    const detail = `The API server's own audiences include ${JSON.stringify(own)}. Use an audience of your own.`;
    log.error({ issuer: name, audiences, detail }, "tokens of an accepted audience are refused");
  });
}

/**
 * The keys that the API server of a `tokenreview` entry publishes. Tokens are reviewed without them too, so that nothing waits for them.
 */
function publishedKeys(
  { name, review }: IssuerConfig,
  { clock, log, metrics }: IssuerContext,
  remoteOf: (endpoint: Endpoint) => Remote,
): Keyring | undefined {
  if (!review) return undefined;
  let wasSaid = false;
  return new Keyring({
    load: keyLoader({ kind: "api-server", endpoint: review }, "", remoteOf(review), clock),
    clock,
    // They decide nothing alone: what an old key does not verify is forged all the same.
    maxStaleMs: Number.POSITIVE_INFINITY,
    maxFirstRetryMs: maxPublishedRetryMs,
    onAttempt: (attempt) => {
      metrics().keysRefreshed(name, attempt.ok);
      if (attempt.ok && attempt.changed) log.info({ issuer: name }, "forged tokens are refused without a review");
      if (attempt.ok || wasSaid) return;
      wasSaid = true;
      const fields = { issuer: name, ...errorFields(attempt.error) };
      log.info(fields, "the API server's keys cannot be read: forged tokens are sent to it for a review");
    },
  });
}

function isTaken(error: unknown): boolean {
  return error instanceof VerifierError && error.code === "DISCOVERY_ISSUER_TAKEN";
}
