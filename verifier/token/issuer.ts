/** One configured issuer: decides about its tokens with its keys, its API server and its rules. */
import type { Clock } from "../clock.ts";
import type { Config, IssuerConfig, Mode } from "../config/config.ts";
import { Refusal, VerifierError } from "../errors.ts";
import type { IssuerKeys } from "../keys/issuerKeys.ts";
import type { ReviewedUser } from "../review/reviewedUser.ts";
import type { Reviewer } from "../review/reviewer.ts";
import { allowedRoutes } from "../rules/allowList.ts";
import type { Route } from "../rules/routes.ts";
import type { ApiAudiences } from "./apiAudiences.ts";
import { checkClaims, identityOfReview, precheckClaims } from "./claims.ts";
import type { Decoded } from "./decode.ts";
import type { Identity } from "./identity.ts";
import { priorityOf, verifySignature } from "./signature.ts";

export interface IssuerOptions {
  readonly config: IssuerConfig;
  /** Keys that verify tokens; `undefined` in the mode `tokenreview`. */
  readonly keys: IssuerKeys | undefined;
  /** In the mode `tokenreview`: the keys that the API server publishes. They serve to refuse forged tokens, and accept none. */
  readonly publishedKeys: IssuerKeys | undefined;
  /** Audiences of the API server, in addition to those of the configuration. */
  readonly apiAudiences: ApiAudiences | undefined;
  /** `undefined` in the modes without reviews. */
  readonly reviewer: Reviewer | undefined;
  readonly clock: Clock;
  readonly settings: Pick<Config, "localCacheSeconds" | "reviewCacheSeconds" | "reviewOutage">;
}

/** An accepted token. */
export interface Acceptance {
  readonly identity: Identity;
  /** How long the decision may be cached, in seconds. */
  readonly cacheSeconds: number;
  /** Requests that the rules allow. */
  readonly routes: "all" | readonly Route[];
  /** Generation of the keys that verified the token. */
  readonly generation: number;
}

/** Cache time of a token that is accepted without a review, because the API server is unavailable and `reviewOutage` is `local`. */
const outageCacheSeconds = 1;

export class Issuer {
  readonly #options: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.config.name;
  }

  get mode(): Mode {
    return this.#options.config.mode;
  }

  /** Value of `iss` in its tokens; `undefined` if it accepts any, or if it is not known yet. */
  get iss(): string | undefined {
    return this.#options.config.issuer ?? this.#options.keys?.issuer;
  }

  /** Whether it decides about the tokens of every issuer that is not configured. */
  get acceptsAnyIss(): boolean {
    return this.mode === "tokenreview" && this.iss === undefined;
  }

  /** For metrics. */
  get keys(): IssuerKeys | undefined {
    return this.#options.keys ?? this.#options.publishedKeys;
  }

  get reviewsInFlight(): number {
    return this.#options.reviewer?.inFlight ?? 0;
  }

  /** Generation of the keys that verify tokens: see IssuerKeys. */
  get generation(): number {
    return this.#options.keys?.generation ?? 0;
  }

  /**
   * Why its tokens cannot be decided about; `undefined` if they can. An outage of the API server is not a reason, because it would make all
   * replicas unready together. A rejection of reviews is one, until the API server reviews a token again.
   */
  get unreadyReason(): string | undefined {
    const { keys, reviewer } = this.#options;
    if (keys && !keys.isLoaded) return `The keys of ${this.name} are not loaded: ${textOf(keys.problem)}`;
    if (keys?.withdrawal !== undefined) return `The keys of ${this.name} are withdrawn: ${keys.withdrawal}`;
    if (!reviewer || reviewer.readiness.isReady) return undefined;
    const { problem } = reviewer.readiness;
    if (problem) return `Tokens of ${this.name} cannot be reviewed: ${problem}`;
    return `It is not known yet whether tokens of ${this.name} can be reviewed.`;
  }

  /** Whether the first attempts to load keys and to check reviews are over, successful or not. */
  get wasTried(): boolean {
    const { keys, reviewer } = this.#options;
    return (keys?.wasTried ?? true) && (reviewer?.readiness.wasTried ?? true);
  }

  start(): void {
    const { apiAudiences, keys, publishedKeys, reviewer } = this.#options;
    void apiAudiences?.get();
    keys?.start();
    publishedKeys?.start();
    reviewer?.readiness.start();
  }

  async stop(): Promise<void> {
    const { keys, publishedKeys, reviewer } = this.#options;
    await Promise.all([keys?.stop(), publishedKeys?.stop(), reviewer?.readiness.stop()]);
  }

  /** @throws Refusal */
  async decide(token: string, decoded: Decoded): Promise<Acceptance> {
    const { config, keys } = this.#options;
    const { generation } = this;
    const { identity, cacheSeconds } = keys
      ? await this.#verify(token, decoded, keys)
      : await this.#reviewOnly(token, decoded);
    return { identity, cacheSeconds, generation, routes: allowedRoutes(config.allow, identity) };
  }

  /** Checks claims and signature, and in the mode `hybrid` also reviews the token. */
  async #verify(token: string, { header, payload }: Decoded, keys: IssuerKeys) {
    const { config, clock, settings, apiAudiences: learned } = this.#options;
    const { iss } = this;
    if (iss === undefined) throw new Refusal("keys_unavailable", 1);
    const apiAudiences = [...config.apiAudiences, ...((await learned?.get()) ?? [])];
    const identity = checkClaims(payload, { ...config, issuer: iss, apiAudiences }, clock.now() / 1000);
    await verifySignature(token, header, keys);
    if (config.mode !== "hybrid") return { identity, cacheSeconds: settings.localCacheSeconds };
    const user = await this.#reviewUnlessOutage(token, identity);
    if (!user) return { identity, cacheSeconds: outageCacheSeconds };
    if (user.username !== identity.subject || user.uid !== identity.serviceAccountUid)
      throw new Refusal("claims_disagree");
    return { identity, cacheSeconds: settings.reviewCacheSeconds };
  }

  /** Returns `undefined` if the API server is unavailable and `reviewOutage` is `local`. */
  async #reviewUnlessOutage(token: string, { audience }: Identity): Promise<ReviewedUser | undefined> {
    const { reviewer, settings } = this.#options;
    try {
      return await reviewer?.review(token, [audience], "signed");
    } catch (error) {
      const isOutage = error instanceof Refusal && error.reason === "review_unavailable";
      if (isOutage && settings.reviewOutage === "local") return undefined;
      throw error;
    }
  }

  async #reviewOnly(token: string, { header, payload }: Decoded) {
    const { config, clock, publishedKeys, reviewer, settings } = this.#options;
    precheckClaims(payload, config, clock.now() / 1000);
    const priority = publishedKeys ? await priorityOf(token, header, publishedKeys) : "unknown";
    const user = await reviewer?.review(token, config.audiences, priority);
    if (!user) throw new Refusal("review_unavailable", 1);
    if (user.username !== payload.sub) throw new Refusal("claims_disagree");
    return { identity: identityOfReview(user, payload), cacheSeconds: settings.reviewCacheSeconds };
  }
}

/** Only the verifier's own messages are shown at `/readyz`. */
function textOf(problem: unknown): string {
  if (problem === undefined) return "they are being fetched.";
  return problem instanceof VerifierError ? problem.message : "see the log.";
}
