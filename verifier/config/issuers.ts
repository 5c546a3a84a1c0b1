/** The entries of `issuers`, each with what the settings outside of the list say as its defaults. */
import { VerifierError } from "../errors.ts";
import { withoutUserinfo } from "../redact.ts";
import type { Endpoint, HttpProxy, IssuerConfig, KeySource, Mode } from "./config.ts";
import { type Reader, reader, rulesOf } from "./reader.ts";
import type { SettingName } from "./settings.ts";
import type { Values } from "./sources.ts";

/** What API servers are called in tokens for them, beside their issuer, unless somebody changed it. */
const usualApiAudiences = [
  "https://kubernetes.default.svc",
  "https://kubernetes.default.svc.cluster.local",
  "kubernetes.default.svc",
];

const dayS = 86_400;

/** @throws VerifierError with a CONFIG_… code */
export function issuerConfigs(
  values: Values,
  entries: readonly Values[] | undefined,
  env: NodeJS.ProcessEnv,
): readonly IssuerConfig[] {
  if (entries && entries.length > 1) checkSeparate(values, entries);
  const configs = (entries ?? [{}]).map((entry, at) =>
    issuerConfig(reader({ ...values, ...entry }), env, entries ? whereOf(entry, at) : "the configuration"),
  );
  checkDistinct(configs, "name", (config) => config.name);
  checkDistinct(configs, "issuer", (config) => config.issuer);
  return configs;
}

/**
 * With several issuers each entry says for itself whose tokens it decides about and whom it lets in: a rule such as
 * `kube-system/admin` means another account in each cluster.
 */
function checkSeparate(values: Values, entries: readonly Values[]): void {
  for (const name of ["issuer", "name", "allow"] as const) {
    if (values[name] === undefined) continue;
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      `${name} is set outside of "issuers", which has several entries. Set it in each entry instead.`,
    );
  }
  for (const [at, entry] of entries.entries()) {
    if (entry.allow !== undefined) continue;
    throw new VerifierError(
      "CONFIG_ALLOW_MISSING",
      `${whereOf(entry, at)} has no allow. With several issuers each entry needs its own: set it to the ServiceAccounts of that cluster that are let in, for example ["shop/*"]. ["*/*"] lets in every ServiceAccount.`,
    );
  }
  // Until a name is learned, the tokens of its cluster would go to the other entry, and to that one's API server.
  const nameless = [...entries.entries()].filter(([, { issuer }]) => issuer === undefined);
  if (nameless.length > 1) {
    const list = nameless.map(([at, entry]) => whereOf(entry, at)).join(" and ");
    throw new VerifierError(
      "CONFIG_ISSUER_MISSING",
      `${list} have no issuer. Only one entry can be without, because a token names its cluster by nothing else. Set issuer in the others to what their clusters' tokens carry.`,
    );
  }
}

function whereOf({ name, issuer }: Values, at: number): string {
  const called = name ?? issuer;
  return called === undefined ? `issuers[${at}]` : `issuers[${at}] (${JSON.stringify(called)})`;
}

function issuerConfig(get: Reader, env: NodeJS.ProcessEnv, where: string): IssuerConfig {
  const mode = get.text("mode") as Mode;
  const issuer = get.find("issuer");
  const audiences = get.list("audience");
  const isLocal = mode !== "tokenreview";
  const apiAudiences = [...new Set([...usualApiAudiences, ...get.list("apiAudience"), ...(issuer ? [issuer] : [])])];
  if (audiences.length === 0) {
    throw new VerifierError(
      "CONFIG_AUDIENCE_MISSING",
      `${where} has no audience: without one a token for anything would do. Set it to what callers' projected tokens are for (--audience).`,
    );
  }
  const api = audiences.find((audience) => isLocal && apiAudiences.includes(audience));
  if (api !== undefined) {
    throw new VerifierError(
      "CONFIG_AUDIENCE_API",
      `${where} accepts ${JSON.stringify(api)}, the API server's own audience: every pod has such a token, and mode ${mode} cannot see that one was revoked. Use an audience of your own.`,
    );
  }
  if (issuer !== undefined && !/^[\x21-\x7e]{1,1024}$/.test(issuer)) {
    throw new VerifierError(
      "CONFIG_ISSUER_INVALID",
      `${where}: an issuer is up to 1024 printable characters without blanks.`,
    );
  }
  const unfit = audiences.find((audience) => !/^[\x21-\x7e]{1,1024}$/.test(audience));
  if (unfit !== undefined) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: an audience is up to 1024 printable ASCII characters without blanks.`,
    );
  }
  const keys = isLocal ? keySource(get, mode, issuer, env, where) : undefined;
  if (!isLocal) refuseKeys(get, where);
  return {
    name: get.find("name") ?? (issuer && withoutUserinfo(issuer)) ?? "cluster",
    mode,
    issuer,
    audiences,
    apiAudiences,
    apiTokenFile: isLocal ? get.text("apiTokenFile") : undefined,
    keys,
    review: mode === "hybrid" || mode === "tokenreview" ? apiServer(get, env, where) : undefined,
    allow: rulesOf(get),
    maxTokenLifetimeSeconds: get.findNumber("maxTokenLifetimeSeconds") ?? (isLocal ? dayS : 0),
    clockSkewSeconds: get.number("clockSkewSeconds"),
  };
}

function keySource(
  get: Reader,
  mode: Mode,
  issuer: string | undefined,
  env: NodeJS.ProcessEnv,
  where: string,
): KeySource {
  const files = get.list("publicKeyFile");
  const given = (["discoveryUrl", "jwksUri"] as const).filter((name) => get.find(name) !== undefined);
  if (given.length + (files.length > 0 ? 1 : 0) > 1 || (mode === "jwt-pubkey" && given.length > 0)) {
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      `${where}: keys come from one of publicKeyFile, discoveryUrl and jwksUri, and with jwt-pubkey from publicKeyFile.`,
    );
  }
  if (mode === "jwt-pubkey" && files.length === 0) {
    throw new VerifierError(
      "CONFIG_KEYS_MISSING",
      `${where}: jwt-pubkey needs the issuer's public keys (--public-key-file).`,
    );
  }
  if (mode === "oidc-discovery" && files.length > 0) {
    throw new VerifierError("CONFIG_CONTRADICTION", `${where}: public keys from files are for jwt-pubkey and hybrid.`);
  }
  const jwksUri = get.find("jwksUri");
  if ((files.length > 0 || jwksUri) && issuer === undefined) {
    throw new VerifierError(
      "CONFIG_ISSUER_MISSING",
      `${where}: keys that are given need the issuer whose keys they are (--issuer).`,
    );
  }
  if (files.length > 0) return { kind: "files", files };
  if (jwksUri) return { kind: "jwks", endpoint: keyEndpoint(get, jwksUri, "jwksUri", env, where) };
  const discoveryUrl = get.find("discoveryUrl") ?? (mode === "oidc-discovery" ? issuer : undefined);
  if (!discoveryUrl) return { kind: "api-server", endpoint: apiServer(get, env, where) };
  return {
    kind: "discovery",
    endpoint: keyEndpoint(get, discoveryUrl, get.find("discoveryUrl") ? "discoveryUrl" : "issuer", env, where),
  };
}

/** Discovery or key set: as the API server is trusted where it is the API server, with public CAs elsewhere. */
function keyEndpoint(get: Reader, url: string, name: SettingName, env: NodeJS.ProcessEnv, where: string): Endpoint {
  const base = serverUrl(url, name, where);
  const { hostname, origin } = new URL(base);
  const api = apiServerUrl(get, env);
  const isApiServer =
    /^kubernetes(\.default(\.svc(\.[a-z0-9.-]+)?)?)?$/.test(hostname) ||
    (api !== undefined && URL.parse(api)?.origin === origin);
  return {
    url: base,
    caFile: get.find("caFile") ?? (isApiServer ? get.text("apiCaFile") : undefined),
    tokenFile: get.find("tokenFile") ?? (isApiServer ? get.text("apiTokenFile") : undefined),
    proxy: isApiServer ? undefined : proxyOf(get, env, where),
  };
}

/** As curl and others have it: variables in small letters come first. */
function proxyOf(get: Reader, env: NodeJS.ProcessEnv, where: string): HttpProxy | undefined {
  const set = get.find("httpsProxy");
  const url = set ?? (env.https_proxy || env.HTTPS_PROXY);
  if (!url) return undefined;
  const parsed = URL.parse(url);
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: the proxy (httpsProxy or HTTPS_PROXY) is no http or https URL.`,
    );
  }
  if (set !== undefined && (parsed.username || parsed.password)) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: httpsProxy has a user. A configuration file is no place for a password: set the variable HTTPS_PROXY instead.`,
    );
  }
  const except = get.list("noProxy").join(",") || env.no_proxy || env.NO_PROXY || "";
  return { url, except };
}

function apiServer(get: Reader, env: NodeJS.ProcessEnv, where: string): Endpoint {
  const url = apiServerUrl(get, env);
  if (url === undefined) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: outside of a cluster the address of the API server is needed (--api-server).`,
    );
  }
  return {
    url: serverUrl(url, "apiServer", where),
    caFile: get.text("apiCaFile"),
    tokenFile: get.text("apiTokenFile"),
  };
}

function apiServerUrl(get: Reader, env: NodeJS.ProcessEnv): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  return get.find("apiServer") ?? (host && `https://${host.includes(":") ? `[${host}]` : host}:${port}`);
}

function serverUrl(text: string, name: SettingName, where: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "https:" || url.username || url.password || url.hash || url.search) {
    const code = name === "issuer" ? "CONFIG_ISSUER_INVALID" : "CONFIG_INVALID";
    throw new VerifierError(
      code,
      `${where}: ${name} is no https URL without user, query and fragment, and keys are to be fetched from there.`,
    );
  }
  return text.replace(/\/+$/, "");
}

function refuseKeys(get: Reader, where: string): void {
  const name = (["publicKeyFile", "discoveryUrl", "jwksUri"] as const).find((key) => get.find(key) !== undefined);
  if (name)
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      `${where}: ${name} is not used with tokenreview: leave it out, or use hybrid.`,
    );
}

function checkDistinct(
  configs: readonly IssuerConfig[],
  what: string,
  of: (config: IssuerConfig) => string | undefined,
): void {
  const seen = new Set<string>();
  for (const value of configs.map(of)) {
    if (value === undefined) continue;
    if (seen.has(value)) {
      throw new VerifierError(
        "CONFIG_ISSUER_TWICE",
        `Two entries of "issuers" have the ${what} ${JSON.stringify(value)}: each needs a different one.`,
      );
    }
    seen.add(value);
  }
}
