/** Reads and checks the entries of `issuers`. An entry inherits the settings outside of the list that it omits. */
import { VerifierError } from "../errors.ts";
import { withoutUserinfo } from "../redact.ts";
import { parseRule } from "../rules/allowList.ts";
import type { Endpoint, HttpProxy, IssuerConfig, KeySource, Mode } from "./config.ts";
import type { SettingName } from "./settings.ts";
import { type Reader, reader, type Values } from "./sources.ts";

/** Usual audiences of API servers, in addition to their issuer. `--api-audiences` changes them. */
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

/** With several issuers, each entry has its own issuer and rules: `kube-system/admin` is another account in each cluster. */
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
      `${whereOf(entry, at)} has no allow. With several issuers each entry needs its own: set it to the ServiceAccounts of that cluster that are accepted, for example ["shop/*"]. ["*/*"] accepts every ServiceAccount.`,
    );
  }
  // Two learned issuers could not be distinguished: tokens of one cluster would be sent to the API server of the other.
  const withoutIssuer = [...entries.entries()].filter(([, { issuer }]) => issuer === undefined);
  if (withoutIssuer.length > 1) {
    const list = withoutIssuer.map(([at, entry]) => whereOf(entry, at)).join(" and ");
    throw new VerifierError(
      "CONFIG_ISSUER_MISSING",
      `${list} have no issuer. Only one entry can omit it, because the issuer is all that shows which cluster a token is from. Set issuer in the others to the iss of their clusters' tokens.`,
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
      `${where} has no audience. Without one, tokens for any audience would be accepted. Set it to the audience of the callers' projected tokens (--audience).`,
    );
  }
  const api = audiences.find((audience) => isLocal && apiAudiences.includes(audience));
  if (api !== undefined) {
    throw new VerifierError(
      "CONFIG_AUDIENCE_API",
      `${where} accepts ${JSON.stringify(api)}, the API server's own audience. Every pod has such a token, and mode ${mode} cannot detect that it is revoked. Use an audience that only your services use.`,
    );
  }
  if (issuer !== undefined && !/^[\x21-\x7e]{1,1024}$/.test(issuer)) {
    throw new VerifierError(
      "CONFIG_ISSUER_INVALID",
      `${where}: expected an issuer of up to 1024 printable ASCII characters without spaces.`,
    );
  }
  const unfit = audiences.find((audience) => !/^[\x21-\x7e]{1,1024}$/.test(audience));
  if (unfit !== undefined) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: expected audiences of up to 1024 printable ASCII characters without spaces.`,
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
    allow: get.list("allow").map(parseRule),
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
      `${where}: set only one of publicKeyFile, discoveryUrl and jwksUri, and with jwt-pubkey only publicKeyFile.`,
    );
  }
  if (mode === "jwt-pubkey" && files.length === 0) {
    throw new VerifierError(
      "CONFIG_KEYS_MISSING",
      `${where}: jwt-pubkey needs the issuer's public keys (--public-key-file).`,
    );
  }
  if (mode === "oidc-discovery" && files.length > 0) {
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      `${where}: public keys from files are not used with oidc-discovery. Use jwt-pubkey or hybrid.`,
    );
  }
  const jwksUri = get.find("jwksUri");
  if ((files.length > 0 || jwksUri) && issuer === undefined) {
    throw new VerifierError(
      "CONFIG_ISSUER_MISSING",
      `${where}: publicKeyFile and jwksUri also need issuer, the issuer of these keys (--issuer).`,
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

/** Endpoint of a discovery document or JWKS. By default the API server is verified with its own CA, any other server with the public CAs. */
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

/** Variables in lower case have precedence, as in curl. */
function proxyOf(get: Reader, env: NodeJS.ProcessEnv, where: string): HttpProxy | undefined {
  const set = get.find("httpsProxy");
  const url = set ?? (env.https_proxy || env.HTTPS_PROXY);
  if (!url) return undefined;
  const parsed = URL.parse(url);
  if (!parsed || !/^https?:$/.test(parsed.protocol)) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: the proxy (httpsProxy or HTTPS_PROXY) is not an http or https URL.`,
    );
  }
  if (set !== undefined && (parsed.username || parsed.password)) {
    throw new VerifierError(
      "CONFIG_INVALID",
      `${where}: httpsProxy has a user, but the configuration file is readable by others. Set the variable HTTPS_PROXY instead.`,
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
      `${where}: outside of a cluster, set the URL of the API server (--api-server).`,
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
      `${where}: ${name} is not an https URL without user, query and fragment. Keys are fetched from it.`,
    );
  }
  return text.replace(/\/+$/, "");
}

function refuseKeys(get: Reader, where: string): void {
  const name = (["publicKeyFile", "discoveryUrl", "jwksUri"] as const).find((key) => get.find(key) !== undefined);
  if (name)
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      `${where}: ${name} is not used with tokenreview. Remove it, or use hybrid.`,
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
