/** All settings. Flags and environment variables are derived from the names. */
import { pathSources } from "../rules/routes.ts";
import { logLevels, modes } from "./config.ts";

export type SettingKind = "text" | "list" | "seconds" | "count" | "choice";

export interface Setting {
  readonly kind: SettingKind;
  /** Also allowed in an entry of `issuers`, which has precedence. */
  readonly perIssuer?: boolean;
  readonly choices?: readonly string[];
  /** For seconds and counts. */
  readonly min?: number;
  readonly max?: number;
  readonly default?: string | number;
  readonly help: string;
}

const mount = "/var/run/secrets/kubernetes.io/serviceaccount";

const settings = {
  mode: { kind: "choice", choices: modes, default: "hybrid", perIssuer: true, help: "How tokens are verified" },
  audience: { kind: "list", perIssuer: true, help: "Accepted audiences; a token must be for one of them. Required" },
  issuer: { kind: "text", perIssuer: true, help: "Value of iss. Default: learned from the API server" },
  name: { kind: "text", perIssuer: true, help: "Name of the issuer in logs and metrics" },
  publicKeyFile: {
    kind: "list",
    perIssuer: true,
    help: "Files with public keys: PEM keys, certificates or JWKS",
  },
  discoveryUrl: {
    kind: "text",
    perIssuer: true,
    help: "URL to which /.well-known/openid-configuration is appended. Default: the issuer",
  },
  jwksUri: { kind: "text", perIssuer: true, help: "URL of the JWKS, instead of discovery" },
  caFile: {
    kind: "text",
    perIssuer: true,
    help: "CA of discoveryUrl and jwksUri. Default: the public CAs; for the API server apiCaFile",
  },
  tokenFile: {
    kind: "text",
    perIssuer: true,
    help: "Token for discoveryUrl and jwksUri. Default: none; for the API server apiTokenFile",
  },
  httpsProxy: {
    kind: "text",
    perIssuer: true,
    help: "HTTP proxy for discoveryUrl and jwksUri, never for the API server. Default: $HTTPS_PROXY",
  },
  noProxy: { kind: "list", perIssuer: true, help: "Hosts that are reached without the proxy. Default: $NO_PROXY" },
  apiServer: { kind: "text", perIssuer: true, help: "API server. Default: the cluster's own, as pods find it" },
  apiCaFile: { kind: "text", perIssuer: true, default: `${mount}/ca.crt`, help: "CA of the API server" },
  apiTokenFile: {
    kind: "text",
    perIssuer: true,
    default: `${mount}/token`,
    help: "The verifier's own token; read again when it changes",
  },
  apiAudience: {
    kind: "list",
    perIssuer: true,
    help: "Audiences of the API server, in addition to the issuer and the usual ones; refused in local modes",
  },
  allow: {
    kind: "list",
    perIssuer: true,
    help: "Accepted callers: NAMESPACE/SERVICEACCOUNT[/POD] [METHODS] [PATH] with * and ?, for example shop/web GET|HEAD /orders/*. Default: every ServiceAccount. Required in each of several issuers",
  },
  maxTokenLifetimeSeconds: {
    kind: "seconds",
    perIssuer: true,
    min: 0,
    max: 31_622_400,
    help: "Longest accepted lifetime (exp - iat); 0 is no limit. Default: 86400, with tokenreview 0",
  },
  clockSkewSeconds: {
    kind: "seconds",
    perIssuer: true,
    min: 0,
    max: 60,
    default: 10,
    help: "Tolerated difference of clocks",
  },
  listen: { kind: "text", default: ":8080", help: "HOST:PORT to listen on for callers and gateways" },
  adminListen: { kind: "text", default: ":8081", help: "HOST:PORT to listen on for /livez, /readyz and /metrics" },
  tlsCertFile: { kind: "text", help: "Certificate chain (PEM); read again when it changes" },
  tlsKeyFile: { kind: "text", help: "Its private key (PEM)" },
  tlsClientCaFile: { kind: "text", help: "CA of callers' client certificates, which are then required" },
  realm: { kind: "text", default: "kubernetes", help: "Realm in WWW-Authenticate" },
  logLevel: { kind: "choice", choices: logLevels, default: "info", help: "Lowest level that is logged" },
  auditLog: {
    kind: "choice",
    choices: ["none", "verified", "all"],
    default: "none",
    help: "Log lines for accepted calls: none, one when a token is verified, or one for each call",
  },
  pathFrom: {
    kind: "choice",
    choices: pathSources,
    help: "Where the gateway puts the caller's method and path; required for rules with a path and for unchecked",
  },
  unchecked: {
    kind: "list",
    help: "Requests that need no token: [METHODS] PATH, for example GET|HEAD /healthz. Default: none",
  },
  localCacheSeconds: {
    kind: "seconds",
    min: 0,
    max: 3600,
    default: 300,
    help: "How long a locally verified token is cached",
  },
  reviewCacheSeconds: {
    kind: "seconds",
    min: 0,
    max: 600,
    default: 10,
    help: "How long a reviewed token is cached",
  },
  refusedCacheSeconds: {
    kind: "seconds",
    min: 0,
    max: 60,
    default: 5,
    help: "How long a refused token is cached",
  },
  cacheEntries: {
    kind: "count",
    min: 1,
    max: 1_000_000,
    default: 10_000,
    help: "Limit of accepted tokens in the cache",
  },
  refusedCacheEntries: {
    kind: "count",
    min: 1,
    max: 100_000,
    default: 5_000,
    help: "Limit of refused tokens in the cache",
  },
  maxReviews: {
    kind: "count",
    min: 1,
    max: 1_000,
    default: 32,
    help: "Concurrent reviews; four times as many wait, further ones get 503",
  },
  reviewTimeoutSeconds: { kind: "seconds", min: 0.1, max: 30, default: 3, help: "Time for one review" },
  reviewOutage: {
    kind: "choice",
    choices: ["refuse", "local"],
    default: "refuse",
    help: "Decision of hybrid while the API server is unavailable (no answer, or 5xx): 503, or the local result",
  },
  maxStaleKeysSeconds: {
    kind: "seconds",
    min: 0,
    max: 31_622_400,
    default: 86_400,
    help: "How long keys that cannot be refreshed stay in use",
  },
  maxConnections: {
    kind: "count",
    min: 1,
    max: 1_000_000,
    help: "Open connections; further ones are closed at once. Default and maximum: what the memory holds",
  },
  maxConnectionsPerAddress: {
    kind: "count",
    min: 1,
    max: 1_000_000,
    help: "Open connections of one address; raise it for a gateway or NAT that all callers share. Default: half of all",
  },
  keepAliveSeconds: {
    kind: "seconds",
    min: 1,
    max: 3600,
    default: 75,
    help: "How long an idle connection stays open; set it above the gateway's",
  },
  drainSeconds: {
    kind: "seconds",
    min: 0,
    max: 300,
    default: 5,
    help: "How long to continue to answer after SIGTERM, while unready",
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
export const settingNames = Object.keys(settings) as SettingName[];

export function settingOf(name: SettingName): Setting {
  return settings[name];
}

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

/** `maxReviews` is `--max-reviews`. */
export function flagOf(name: SettingName | "config"): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxReviews` is `K8SAUTH_VERIFIER_MAX_REVIEWS`. */
export function variableOf(name: SettingName | "config"): string {
  return `K8SAUTH_VERIFIER_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Text of `--help`. */
export function helpText(): string {
  const lines = settingNames.map((name) => {
    const setting: Setting = settings[name];
    const choices = setting.choices ? ` (${setting.choices.join(", ")})` : "";
    const standard = setting.default === undefined ? "" : ` [${setting.default}]`;
    return `  ${flagOf(name).padEnd(30)} ${setting.help}${choices}${standard}`;
  });
  return `Usage: node verifier.mjs --audience AUDIENCE [flags]

Answers every request with the ServiceAccount of its bearer token: 200, 401, 403 or 503.

  ${"--config FILE".padEnd(30)} JSON file with the same settings, and "issuers": a list of entries with these settings
${lines.join("\n")}

Lists are separated by commas, or flags are repeated. Each flag is also an environment variable
(${flagOf("maxReviews")} is ${variableOf("maxReviews")}) and, in camel case, a field of the file. Flags have
precedence over the environment, the environment over the file.
`;
}
