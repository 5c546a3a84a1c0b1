/** All configured issuers: finds the issuer of a token, and reports whether the service is ready. */
import { DigestSet } from "../cache/caches.ts";
import type { Clock } from "../clock.ts";
import type { Config, Endpoint, IssuerConfig } from "../config/config.ts";
import { Refusal, VerifierError } from "../errors.ts";
import { IssuerKeys, type LoadAttempt } from "../keys/issuerKeys.ts";
import { type KeyLoader, keyLoader } from "../keys/keySource.ts";
import { errorFields, type Log } from "../log.ts";
import { HttpsClient } from "../net/httpsClient.ts";
import { Reviewer, type ReviewOutcome } from "../review/reviewer.ts";
import { ApiAudiences } from "./apiAudiences.ts";
import { Issuer } from "./issuer.ts";

/** Longest pause between attempts to read the published keys. Some clusters never publish them. */
const maxPublishedRetryMs = 60_000;

export interface IssuersOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Stops retries. */
  readonly signal: AbortSignal;
  /** Called after each review of a caller's token. */
  readonly onReview: (outcome: ReviewOutcome, ms: number) => void;
  /** Called after each attempt to load the keys of an issuer. */
  readonly onKeysLoaded: (issuer: string, isOk: boolean) => void;
}

export class Issuers {
  readonly list: readonly Issuer[];
  readonly #servers: Servers;

  private constructor(list: readonly Issuer[], servers: Servers) {
    this.list = list;
    this.#servers = servers;
  }

  /** @throws VerifierError FILE_UNREADABLE, KEYS_… for key files */
  static async create(config: Config, options: IssuersOptions): Promise<Issuers> {
    const servers = new Servers(config, options);
    const list = await Promise.all(config.issuers.map((one) => createIssuer(one, config, servers, options)));
    return new Issuers(list, servers);
  }

  /**
   * The issuer of a token, or the one that accepts every issuer.
   *
   * @throws Refusal unknown_issuer; keys_unavailable while an entry has not learned its issuer, because that can be the token's
   */
  of(iss: unknown): Issuer {
    const found =
      this.list.find((issuer) => issuer.iss !== undefined && issuer.iss === iss) ??
      this.list.find((issuer) => issuer.acceptsAnyIss);
    if (found) return found;
    if (this.list.some((issuer) => issuer.iss === undefined)) throw new Refusal("keys_unavailable", 1);
    throw new Refusal("unknown_issuer");
  }

  /** Why some issuers are not ready; empty if all are ready. */
  get degradedReasons(): readonly string[] {
    return this.list.map((issuer) => issuer.unreadyReason).filter((reason) => reason !== undefined);
  }

  /**
   * Why the service is not ready. It is ready once each issuer was tried and one is ready, so that one issuer's outage does not stop
   * the others.
   */
  get unreadyReasons(): readonly string[] {
    const reasons = this.degradedReasons;
    const isReady = reasons.length < this.list.length && this.list.every((issuer) => issuer.wasTried);
    return isReady ? [] : reasons;
  }

  start(): void {
    for (const issuer of this.list) issuer.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.list.map((issuer) => issuer.stop()));
    this.#servers.close();
  }
}

/** Connections to API servers and issuers. Entries with the same endpoint share its connections and its limit on reviews. */
class Servers {
  readonly #config: Config;
  readonly #options: IssuersOptions;
  readonly #clients = new Map<string, HttpsClient>();
  readonly #reviewers = new Map<string, Reviewer>();
  /** One for all, so that its memory is limited whatever the number of issuers. */
  readonly #accepted: DigestSet;

  constructor(config: Config, options: IssuersOptions) {
    this.#config = config;
    this.#accepted = new DigestSet(config.cacheEntries);
    this.#options = options;
  }

  client(endpoint: Endpoint): HttpsClient {
    const key = JSON.stringify(endpoint);
    const client = this.#clients.get(key) ?? new HttpsClient(endpoint, this.#options.clock);
    this.#clients.set(key, client);
    return client;
  }

  reviewer(endpoint: Endpoint): Reviewer {
    const key = JSON.stringify(endpoint);
    const reviewer = this.#reviewers.get(key) ?? this.#createReviewer(endpoint);
    this.#reviewers.set(key, reviewer);
    return reviewer;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  #createReviewer(endpoint: Endpoint): Reviewer {
    return new Reviewer({
      ...this.#options,
      url: endpoint.url,
      client: this.client(endpoint),
      timeoutMs: this.#config.reviewTimeoutSeconds * 1000,
      maxReviews: this.#config.maxReviews,
      accepted: this.#accepted,
    });
  }
}

async function createIssuer(
  config: IssuerConfig,
  settings: Config,
  servers: Servers,
  options: IssuersOptions,
): Promise<Issuer> {
  const { review } = config;
  return new Issuer({
    config,
    keys: await createKeys(config, settings, servers, options),
    publishedKeys:
      review && config.mode === "tokenreview" ? publishedKeys(config, review, servers, options) : undefined,
    apiAudiences: createApiAudiences(config, options),
    reviewer: review && servers.reviewer(review),
    clock: options.clock,
    settings,
  });
}

/** Keys that verify the issuer's tokens. */
async function createKeys(
  config: IssuerConfig,
  settings: Config,
  servers: Servers,
  { clock, log, onKeysLoaded }: IssuersOptions,
): Promise<IssuerKeys | undefined> {
  const { name, issuer, keys } = config;
  if (!keys) return undefined;
  const isFiles = keys.kind === "files";
  const source = keyLoader(keys, issuer, isFiles ? undefined : servers.client(keys.endpoint), clock);
  const others = settings.issuers.filter((one) => one !== config);
  const load = issuer === undefined ? refuseConfiguredIssuers(source, name, others) : source;
  // Files are mounted before the process starts, so an error in them is a mistake and not an outage.
  if (isFiles) await load();
  return new IssuerKeys({
    load,
    clock,
    // A server can have published a new key since the last refresh, so a token with this key waits for the next one. The kubelet updates files
    // too late for that.
    waits: !isFiles,
    maxStaleMs: settings.maxStaleKeysSeconds * 1000,
    onAttempt: (attempt) => {
      onKeysLoaded(name, attempt.ok);
      logKeys(name, attempt, log);
    },
  });
}

function logKeys(name: string, attempt: LoadAttempt, log: Log): void {
  if (!attempt.ok) {
    const fields = { issuer: name, ...errorFields(attempt.error) };
    const isTaken = attempt.error instanceof VerifierError && attempt.error.code === "DISCOVERY_ISSUER_TAKEN";
    if (isTaken) log.error(fields, "the keys are refused: another entry has their issuer");
    else log.warn(fields, "the keys could not be refreshed");
    return;
  }
  if (!attempt.changed) return;
  const { set, issuer: iss } = attempt.loaded;
  const keys = set.keys.map(({ kid, thumbprint }) => kid ?? thumbprint);
  const fields = { issuer: name, iss, keys, leftOut: set.leftOut };
  if (keys.length > 0) log.info(fields, "the keys changed");
  else log.error(fields, "the issuer has withdrawn its keys: all its tokens are refused");
}

/**
 * Refuses keys whose discovery document names the issuer of another entry. A cluster controls its document: with these keys, it could
 * sign tokens that are accepted as tokens of the other cluster.
 *
 * @param name entry that the keys are for
 * @throws VerifierError DISCOVERY_ISSUER_TAKEN
 */
function refuseConfiguredIssuers(load: KeyLoader, name: string, others: readonly IssuerConfig[]): KeyLoader {
  return async () => {
    const loaded = await load();
    const owner = others.find(({ issuer }) => issuer === loaded.issuer);
    if (!owner) return loaded;
    const [own, other, issuer] = [name, owner.name, loaded.issuer].map((text) => JSON.stringify(text));
    throw new VerifierError(
      "DISCOVERY_ISSUER_TAKEN",
      `The issuer that ${own} learned is ${issuer}, which is the issuer of ${other}. Its keys are not used. Check the addresses of ${own} (apiServer, discoveryUrl). Two clusters with the same issuer need a verifier each, or another --service-account-issuer in one of them.`,
    );
  };
}

/** Keys that the API server of a `tokenreview` entry publishes. Reviews do not wait for them. */
function publishedKeys(
  { name }: IssuerConfig,
  endpoint: Endpoint,
  servers: Servers,
  { clock, log, onKeysLoaded }: IssuersOptions,
): IssuerKeys {
  let wasReported = false;
  return new IssuerKeys({
    load: keyLoader({ kind: "api-server", endpoint }, "", servers.client(endpoint), clock),
    clock,
    // They accept no token, so their age does not matter.
    maxStaleMs: Number.POSITIVE_INFINITY,
    maxFirstRetryMs: maxPublishedRetryMs,
    onAttempt: (attempt) => {
      onKeysLoaded(name, attempt.ok);
      if (attempt.ok && attempt.changed) log.info({ issuer: name }, "forged tokens are refused without a review");
      if (attempt.ok || wasReported) return;
      wasReported = true;
      const fields = { issuer: name, ...errorFields(attempt.error) };
      log.info(fields, "the API server's keys cannot be read: forged tokens are sent to it for a review");
    },
  });
}

function createApiAudiences(config: IssuerConfig, { clock, log }: IssuersOptions): ApiAudiences | undefined {
  const { name, audiences: accepted, apiTokenFile } = config;
  if (apiTokenFile === undefined) return undefined;
  return new ApiAudiences(apiTokenFile, clock, (audiences) => {
    const own = accepted.find((one) => audiences.includes(one));
    if (own === undefined) return log.info({ issuer: name, audiences }, "the API server's audiences are known");
    const detail = `The API server's own audiences include ${JSON.stringify(own)}. Use a separate audience.`;
    log.error({ issuer: name, audiences, detail }, "tokens of an accepted audience are refused");
  });
}
