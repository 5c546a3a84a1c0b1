/** The checked configuration of a verifier. */

import type { Rule } from "../rules/allowList.ts";
import type { PathSource, Route } from "../rules/routes.ts";

/**
 * How tokens of an issuer are verified.
 *
 * - `tokenreview`: the API server is asked (TokenReview).
 * - `jwt-pubkey`: signature and claims, with public keys from files.
 * - `oidc-discovery`: signature and claims, with keys that the issuer publishes.
 * - `hybrid`: signature and claims first, then a TokenReview.
 */
export type Mode = (typeof modes)[number];
export const modes = ["hybrid", "tokenreview", "oidc-discovery", "jwt-pubkey"] as const;

/** An https (or, without CA and token, http on the loopback interface) server and how it is trusted. */
export interface Endpoint {
  /** Without a slash at the end. */
  readonly url: string;
  /** PEM file; read again as it changes. `undefined`: the public CAs. */
  readonly caFile: string | undefined;
  /** Bearer token file; read again as it rotates. `undefined`: none is sent. */
  readonly tokenFile: string | undefined;
  /** `undefined`: connections are direct, as those to the API server always are. */
  readonly proxy?: HttpProxy | undefined;
}

/** An HTTP proxy, which opens tunnels to https servers. */
export interface HttpProxy {
  /** May carry a user and a password. */
  readonly url: string;
  /** Hosts that are reached without it, separated by commas, as in `NO_PROXY`. */
  readonly except: string;
}

/** Where public keys come from. */
export type KeySource =
  | { readonly kind: "files"; readonly files: readonly string[] }
  /** A key set at a known address. */
  | { readonly kind: "jwks"; readonly endpoint: Endpoint }
  /** Discovery document below the endpoint's URL; it names the key set. */
  | { readonly kind: "discovery"; readonly endpoint: Endpoint }
  /** The API server: its key set, and its document where the issuer has to be learned. */
  | { readonly kind: "api-server"; readonly endpoint: Endpoint };

export interface IssuerConfig {
  /** For logs and metrics. */
  readonly name: string;
  readonly mode: Mode;
  /**
   * Value of `iss`. `undefined`, for one entry at most: learned from the API server, or (`tokenreview`) any that no other entry has.
   */
  readonly issuer: string | undefined;
  /** At least one; a token has to carry one of them. */
  readonly audiences: readonly string[];
  /** A token that carries one of these is refused where it is verified locally. */
  readonly apiAudiences: readonly string[];
  /** The verifier's own token, which names the API server's audiences; `undefined` where the API server verifies. */
  readonly apiTokenFile: string | undefined;
  readonly keys: KeySource | undefined;
  /** API server to send reviews to. */
  readonly review: Endpoint | undefined;
  /** One of them has to match; empty: every ServiceAccount. */
  readonly allow: readonly Rule[];
  /** Longest accepted `exp` − `iat`, in seconds; 0: any. */
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
  /** Callers then need a client certificate of this CA. */
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
  /** Where the caller's method and path are; `undefined`: no rule looks at them. */
  readonly pathFrom: PathSource | undefined;
  /** Requests that need no token. */
  readonly unchecked: readonly Route[];
  /** How long an accepted token is not looked at again where nothing was reviewed; never beyond its `exp`. */
  readonly localCacheSeconds: number;
  /** The same where it was reviewed. */
  readonly reviewCacheSeconds: number;
  readonly refusedCacheSeconds: number;
  readonly cacheEntries: number;
  readonly refusedCacheEntries: number;
  /** Reviews in flight per API server; four times as many wait. */
  readonly maxReviews: number;
  readonly reviewTimeoutSeconds: number;
  /** `hybrid` while the API server is away (no answer, or 5xx): 503, or what the local verification says. */
  readonly reviewOutage: "refuse" | "local";
  /** How long keys that cannot be refreshed are still used. */
  readonly maxStaleKeysSeconds: number;
  /** `undefined`: as many as the memory holds, which no value exceeds. */
  readonly maxConnections: number | undefined;
  /** `undefined`: half of all. */
  readonly maxConnectionsPerAddress: number | undefined;
  readonly keepAliveSeconds: number;
  readonly drainSeconds: number;
}

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
