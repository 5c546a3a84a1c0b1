/** The configuration, after all checks. */
import type { Rule } from "../rules/allowList.ts";
import type { PathSource, Route } from "../rules/routes.ts";

/**
 * How tokens of an issuer are verified.
 *
 * - `tokenreview`: a review by the API server (TokenReview).
 * - `jwt-pubkey`: signature and claims, with public keys from files.
 * - `oidc-discovery`: signature and claims, with keys that the issuer publishes.
 * - `hybrid`: signature and claims first, then a TokenReview.
 */
export type Mode = (typeof modes)[number];
export const modes = ["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"] as const;

/** An https server, its CA, and the token that it gets. */
export interface Endpoint {
  /** Without a trailing slash. */
  readonly url: string;
  /** PEM file, read again when it changes. `undefined`: the public CAs. */
  readonly caFile: string | undefined;
  /** File with a bearer token, read again when it changes. `undefined`: no token is sent. */
  readonly tokenFile: string | undefined;
  /** `undefined`: connections are direct, as those to the API server always are. */
  readonly proxy?: HttpProxy | undefined;
}

/** An HTTP proxy with CONNECT. */
export interface HttpProxy {
  /** Can contain a user and a password. */
  readonly url: string;
  /** Hosts with direct connections, separated by commas, as in `NO_PROXY`. */
  readonly except: string;
}

/** Source of an issuer's public keys. */
export type KeySource =
  | { readonly kind: "files"; readonly files: readonly string[] }
  /** A JWKS at a configured URL. */
  | { readonly kind: "jwks"; readonly endpoint: Endpoint }
  /** The discovery document at the endpoint, which contains the URL of the JWKS. */
  | { readonly kind: "discovery"; readonly endpoint: Endpoint }
  /** The JWKS of the API server, and its discovery document if the issuer is not configured. */
  | { readonly kind: "api-server"; readonly endpoint: Endpoint };

export interface IssuerConfig {
  /** For logs and metrics. */
  readonly name: string;
  readonly mode: Mode;
  /**
   * Value of `iss`. `undefined` in at most one entry: the issuer is learned from the discovery document. In the mode `tokenreview`, such an
   * entry accepts every issuer that no other entry has.
   */
  readonly issuer: string | undefined;
  /** At least one. A token must have one of them. */
  readonly audiences: readonly string[];
  /** Audiences of the API server. A token with one of them is refused in the local modes. */
  readonly apiAudiences: readonly string[];
  /** The verifier's own token, whose `aud` names the API server's audiences; `undefined` with `tokenreview`. */
  readonly apiTokenFile: string | undefined;
  readonly keys: KeySource | undefined;
  /** API server that reviews tokens; `undefined` in the modes without reviews. */
  readonly review: Endpoint | undefined;
  /** One of them must match. If empty, every ServiceAccount is accepted. */
  readonly allow: readonly Rule[];
  /** Longest accepted `exp` − `iat`, in seconds; 0: no limit. */
  readonly maxTokenLifetimeSeconds: number;
  readonly clockSkewSeconds: number;
}

export interface Address {
  /** `undefined`: every interface. */
  readonly host: string | undefined;
  readonly port: number;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** If set, callers need a client certificate of this CA. */
  readonly clientCaFile: string | undefined;
}

export interface Config {
  readonly listen: Address;
  readonly adminListen: Address;
  readonly tls: TlsFiles | undefined;
  readonly issuers: readonly IssuerConfig[];
  readonly realm: string;
  readonly logLevel: LogLevel;
  /** Log lines for accepted calls: none, one when a token is verified, or one for each call. */
  readonly auditLog: "none" | "verified" | "all";
  /** Headers with the caller's method and path; `undefined` if no rule needs them. */
  readonly pathFrom: PathSource | undefined;
  /** Requests that need no token. */
  readonly unchecked: readonly Route[];
  /** Cache time of a token that is accepted without a review. It never exceeds `exp`. */
  readonly localCacheSeconds: number;
  /** Cache time of a token that a review accepted. */
  readonly reviewCacheSeconds: number;
  readonly refusedCacheSeconds: number;
  readonly cacheEntries: number;
  readonly refusedCacheEntries: number;
  /** Concurrent reviews for each API server. Four times as many wait. */
  readonly maxReviews: number;
  readonly reviewTimeoutSeconds: number;
  /**
   * Decision in the mode `hybrid` while the API server is unavailable (no answer, or 5xx). `refuse`: 503. `local`: the result of the local
   * verification.
   */
  readonly reviewOutage: "refuse" | "local";
  /** How long keys that cannot be refreshed stay in use. */
  readonly maxStaleKeysSeconds: number;
  /** `undefined`: as many as the memory holds. A greater value is lowered to this number. */
  readonly maxConnections: number | undefined;
  /** `undefined`: half of the connections. */
  readonly maxConnectionsPerAddress: number | undefined;
  readonly keepAliveSeconds: number;
  readonly drainSeconds: number;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
