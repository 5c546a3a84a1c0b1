/** One configured issuer at work: its keys, its API server, and whether they are usable. */
import type { Clock } from "./clock.ts";
import type { Config, Endpoint, IssuerConfig, Mode } from "./config/config.ts";
import { Keyring, type KeyringAttempt } from "./keys/keyring.ts";
import { keyLoader, type Loader } from "./keys/loaders.ts";
import { errorFields, LineLimit, type Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { HttpsRemote, type Remote } from "./net/remote.ts";
import { Reviewer } from "./review/reviewer.ts";
import { Authority } from "./token/authority.ts";

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
  /** `undefined` once it is usable; then it stays so: a short outage must not take all replicas away at once. */
  unreadyReason(): string | undefined;
  /** Whether the first attempts are over, whatever came of them. */
  isSettled(): boolean;
  start(): void;
  stop(): Promise<void>;
}

const firstRetryMs = 250;
const maxRetryMs = 5_000;

/**
 * Makes all issuers; those that share an API server share its connections and its limit on reviews.
 *
 * @throws VerifierError FILE_UNREADABLE, KEYS_… for key files, which do not get better by waiting
 */
export async function issuersOf(config: Config, context: IssuerContext): Promise<readonly Issuer[]> {
  const remotes = new Map<string, Remote>();
  const reviewers = new Map<Remote, Reviewer>();
  const connect = context.connect ?? ((endpoint: Endpoint) => new HttpsRemote(endpoint, context.clock));
  const remoteOf = (endpoint: Endpoint): Remote => {
    const key = JSON.stringify([endpoint.url, endpoint.caFile, endpoint.tokenFile]);
    const remote = remotes.get(key) ?? connect(endpoint);
    remotes.set(key, remote);
    return remote;
  };
  const reviewerOf = (endpoint: Endpoint): Reviewer => {
    const remote = remoteOf(endpoint);
    const reviewer = reviewers.get(remote) ?? makeReviewer(endpoint.url, remote, config, context);
    reviewers.set(remote, reviewer);
    return reviewer;
  };
  const closeAll = () => {
    for (const remote of remotes.values()) remote.close();
  };
  return Promise.all(config.issuers.map((one) => makeIssuer(one, config, context, remoteOf, reviewerOf, closeAll)));
}

function makeReviewer(url: string, remote: Remote, config: Config, { clock, log, metrics }: IssuerContext): Reviewer {
  const limit = new LineLimit(5, clock.now);
  return new Reviewer({
    url,
    remote,
    clock,
    timeoutMs: config.reviewTimeoutSeconds * 1000,
    maxReviews: config.maxReviews,
    onReview: (outcome, ms) => metrics().reviewSeconds.observe({ outcome }, ms / 1000),
    onError: (error) => {
      const admitted = limit.admit();
      if (admitted) log.error({ ...errorFields(error), ...admitted }, "a token could not be reviewed");
    },
  });
}

async function makeIssuer(
  issuer: IssuerConfig,
  config: Config,
  context: IssuerContext,
  remoteOf: (endpoint: Endpoint) => Remote,
  reviewerOf: (endpoint: Endpoint) => Reviewer,
  closeAll: () => void,
): Promise<Issuer> {
  const { clock } = context;
  const keyring = issuer.keys && (await makeKeyring(issuer, config, context, remoteOf));
  const reviewer = issuer.review && reviewerOf(issuer.review);
  const rights = new RightsCheck(issuer.name, reviewer, context);
  const authority = new Authority({
    config: issuer,
    keyring,
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
    keyring,
    reviewer,
    unreadyReason: () => {
      if (keyring && !keyring.isLoaded) return `The keys of ${issuer.name} are not there yet.`;
      return rights.granted ? undefined : `It is not known yet that tokens of ${issuer.name} can be reviewed.`;
    },
    isSettled: () => (keyring?.wasTried ?? true) && rights.wasTried,
    start: () => {
      keyring?.start();
      rights.start();
    },
    stop: async () => {
      await Promise.all([keyring?.stop(), rights.stop()]);
      closeAll();
    },
  };
}

async function makeKeyring(
  { name, issuer, keys }: IssuerConfig,
  config: Config,
  { clock, log, metrics }: IssuerContext,
  remoteOf: (endpoint: Endpoint) => Remote,
): Promise<Keyring | undefined> {
  if (!keys) return undefined;
  const load: Loader = keyLoader(keys, issuer, keys.kind === "files" ? undefined : remoteOf(keys.endpoint), clock);
  // Mounted files are there before the process is: what is wrong with them now is a mistake.
  if (keys.kind === "files") await load();
  const onAttempt = (attempt: KeyringAttempt) => {
    metrics().keyRefreshes.inc({ issuer: name, outcome: attempt.ok ? "ok" : "error" });
    if (!attempt.ok)
      return log.warn({ issuer: name, ...errorFields(attempt.error) }, "the keys could not be refreshed");
    if (!attempt.changed) return;
    const { set, issuer: of } = attempt.loaded;
    log.info(
      { issuer: name, iss: of, keys: set.keys.map(({ kid, thumbprint }) => kid ?? thumbprint), leftOut: set.leftOut },
      "the keys changed",
    );
  };
  // Files come late as it is; a server may have published the key of a token since we asked it.
  const waits = keys.kind !== "files";
  return new Keyring({ load, clock, waits, maxStaleMs: config.maxStaleKeysSeconds * 1000, onAttempt });
}

/** Asks the API server until it says that reviews are allowed. */
class RightsCheck {
  readonly #name: string;
  readonly #reviewer: Reviewer | undefined;
  readonly #context: IssuerContext;
  #running: Promise<void> | undefined;
  granted: boolean;
  wasTried: boolean;

  constructor(name: string, reviewer: Reviewer | undefined, context: IssuerContext) {
    this.#name = name;
    this.#reviewer = reviewer;
    this.#context = context;
    this.granted = reviewer === undefined;
    this.wasTried = reviewer === undefined;
  }

  start(): void {
    if (!this.granted) this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, signal } = this.#context;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#reviewer?.checkRights();
        this.granted = true;
        return;
      } catch (error) {
        log.warn({ issuer: this.#name, ...errorFields(error) }, "tokens cannot be reviewed yet");
      } finally {
        this.wasTried = true;
      }
      await clock.sleep(
        Math.min(firstRetryMs * 2 ** Math.min(attempt, 5), maxRetryMs) * (0.5 + Math.random() / 2),
        signal,
      );
    }
  }
}
