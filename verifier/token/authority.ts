/** One issuer with its keys, its API server and its rules: decides about the tokens of that issuer. */
import type { Clock } from "../clock.ts";
import type { IssuerConfig } from "../config/config.ts";
import { Refusal } from "../errors.ts";
import type { Keyring } from "../keys/keyring.ts";
import type { ReviewedUser } from "../review/reviewedUser.ts";
import type { Reviewer } from "../review/reviewer.ts";
import { allowedRoutes } from "../rules/allowList.ts";
import type { Route } from "../rules/routes.ts";
import type { ApiAudiences } from "./apiAudiences.ts";
import { checkClaims, precheckClaims } from "./claims.ts";
import type { Decoded } from "./decode.ts";
import type { Identity } from "./identity.ts";
import { standingOf, verifySignature } from "./signature.ts";

export interface AuthorityOptions {
  readonly config: IssuerConfig;
  /** Keys that tokens are verified with; `undefined` where the API server alone verifies. */
  readonly keyring: Keyring | undefined;
  /** What the API server publishes of its keys, where it alone verifies: forged tokens are known by them. */
  readonly published: Keyring | undefined;
  /** Learned, beside those of the configuration. */
  readonly apiAudiences: ApiAudiences | undefined;
  readonly reviewer: Reviewer | undefined;
  readonly clock: Clock;
  readonly localCacheSeconds: number;
  readonly reviewCacheSeconds: number;
  readonly reviewOutage: "refuse" | "local";
}

/** An accepted token. */
export interface Acceptance {
  readonly identity: Identity;
  /** How long it may be remembered, in seconds, as far as reviews go. */
  readonly cacheSeconds: number;
  /** Requests that it is let in for. */
  readonly routes: "all" | readonly Route[];
  /** Of the keys that it was verified with. */
  readonly generation: number;
}

/** While the API server is away and `reviewOutage` is `local`. */
const outageCacheSeconds = 1;

export class Authority {
  readonly #options: AuthorityOptions;

  constructor(options: AuthorityOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.config.name;
  }

  /** Value of `iss` whose tokens are decided here; `undefined`: not learned yet, or any. */
  get issuer(): string | undefined {
    return this.#options.config.issuer ?? this.#options.keyring?.issuer;
  }

  /** Accepts tokens of every issuer without an authority. */
  get takesAll(): boolean {
    const { config } = this.#options;
    return config.mode === "tokenreview" && config.issuer === undefined;
  }

  /** Waits for its issuer's name, which the API server has not told yet. */
  get isNameless(): boolean {
    return this.issuer === undefined && !this.takesAll;
  }

  get generation(): number {
    return this.#options.keyring?.generation ?? 0;
  }

  /** @throws Refusal */
  async decide(token: string, decoded: Decoded): Promise<Acceptance> {
    const { config, keyring } = this.#options;
    const generation = this.generation;
    const { identity, cacheSeconds } = keyring
      ? await this.#verify(token, decoded, keyring)
      : await this.#reviewAlone(token, decoded);
    return { identity, cacheSeconds, generation, routes: allowedRoutes(config.allow, identity) };
  }

  async #verify(token: string, { header, payload }: Decoded, keyring: Keyring) {
    const { config, clock, localCacheSeconds, reviewCacheSeconds, apiAudiences: learned } = this.#options;
    const issuer = this.issuer;
    if (issuer === undefined) throw new Refusal("keys_unavailable", 1);
    const apiAudiences = [...config.apiAudiences, ...((await learned?.get()) ?? [])];
    const identity = checkClaims(payload, { ...config, issuer, apiAudiences }, clock.now() / 1000);
    await verifySignature(token, header, keyring);
    if (config.mode !== "hybrid") return { identity, cacheSeconds: localCacheSeconds };
    const user = await this.#reviewUnlessAway(token, identity);
    if (!user) return { identity, cacheSeconds: outageCacheSeconds };
    if (user.username !== identity.subject || user.uid !== identity.serviceAccountUid)
      throw new Refusal("claims_disagree");
    return { identity, cacheSeconds: reviewCacheSeconds };
  }

  async #reviewUnlessAway(token: string, { audience }: Identity): Promise<ReviewedUser | undefined> {
    const { reviewer, reviewOutage } = this.#options;
    try {
      return await reviewer?.review(token, [audience], "signed");
    } catch (error) {
      const isAway = error instanceof Refusal && error.reason === "review_unavailable";
      if (isAway && reviewOutage === "local") return undefined;
      throw error;
    }
  }

  async #reviewAlone(token: string, { header, payload }: Decoded) {
    const { config, clock, published, reviewer, reviewCacheSeconds } = this.#options;
    precheckClaims(payload, config, clock.now() / 1000);
    const standing = published ? await standingOf(token, header, published) : "unknown";
    const user = await reviewer?.review(token, config.audiences, standing);
    if (!user) throw new Refusal("review_unavailable", 1);
    if (user.username !== payload.sub) throw new Refusal("claims_disagree");
    return { identity: reviewedIdentity(user, payload), cacheSeconds: reviewCacheSeconds };
  }
}

/** The API server vouches for the token: claims that it does not repeat can be taken from there, if they have the right form. */
function reviewedIdentity(user: ReviewedUser, payload: Readonly<Record<string, unknown>>): Identity {
  const kubernetes = record(payload["kubernetes.io"]);
  const secret = record(kubernetes.secret);
  const legacySecret = payload["kubernetes.io/serviceaccount/secret.name"];
  const aud = typeof payload.aud === "string" ? [payload.aud] : payload.aud;
  return {
    subject: user.username,
    issuer: text(payload.iss) ?? "",
    audience: user.audiences[0] as string,
    audiences: Array.isArray(aud) ? (aud as string[]) : user.audiences,
    namespace: user.namespace,
    serviceAccountName: user.name,
    serviceAccountUid: user.uid,
    podName: user.podName,
    podUid: user.podUid,
    secretName: text(secret.name) ?? text(legacySecret),
    secretUid: text(secret.uid),
    nodeName: user.nodeName,
    nodeUid: user.nodeUid,
    tokenId: user.tokenId ?? text(payload.jti),
    expiresAt: typeof payload.exp === "number" ? payload.exp : undefined,
    issuedAt: typeof payload.iat === "number" ? payload.iat : undefined,
  };
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Printable and short, or left out: it goes into a header. */
function text(value: unknown): string | undefined {
  return typeof value === "string" && /^[\x21-\x7e]{1,1024}$/.test(value) ? value : undefined;
}
