/** Reads and checks all settings before any other file is read and before a port is opened. */
import { VerifierError } from "../errors.ts";
import { parseRoute } from "../rules/routes.ts";
import { type Address, type Config, type IssuerConfig, type LogLevel, logLevels, type TlsFiles } from "./config.ts";
import { issuerConfigs } from "./issuers.ts";
import type { SettingName } from "./settings.ts";
import { type ConfigSources, type Reader, reader, readSources } from "./sources.ts";

/**
 * Reads and checks the configuration.
 *
 * @throws VerifierError with a CONFIG_… code
 */
export function loadConfig(sources: ConfigSources): Config {
  const { values, issuers } = readSources(sources);
  const get = reader(values);
  const config = configOf(get, issuerConfigs(values, issuers, sources.env));
  const needsPath = config.unchecked.length > 0 || config.issuers.some(({ allow }) => allow.some(({ route }) => route));
  if (needsPath && config.pathFrom === undefined) {
    throw new VerifierError(
      "CONFIG_CONTRADICTION",
      "Rules with a path and unchecked need pathFrom: request-line for Envoy and Gateway API, x-original-uri for NGINX, x-original-url for ingress-nginx, x-forwarded-uri for Traefik and Caddy.",
    );
  }
  if (config.auditLog !== "none" && logLevels.indexOf(config.logLevel) > logLevels.indexOf("info"))
    throw new VerifierError("CONFIG_CONTRADICTION", "auditLog needs logLevel info or debug.");
  return config;
}

function configOf(get: Reader, issuers: readonly IssuerConfig[]): Config {
  return {
    listen: address("listen", get.text("listen")),
    adminListen: address("adminListen", get.text("adminListen")),
    tls: tlsFiles(get),
    issuers,
    realm: realm(get.text("realm")),
    logLevel: get.text("logLevel") as LogLevel,
    auditLog: get.text("auditLog") as Config["auditLog"],
    pathFrom: get.find("pathFrom") as Config["pathFrom"],
    unchecked: get.list("unchecked").map(parseRoute),
    localCacheSeconds: get.number("localCacheSeconds"),
    reviewCacheSeconds: get.number("reviewCacheSeconds"),
    refusedCacheSeconds: get.number("refusedCacheSeconds"),
    cacheEntries: get.number("cacheEntries"),
    refusedCacheEntries: get.number("refusedCacheEntries"),
    maxReviews: get.number("maxReviews"),
    reviewTimeoutSeconds: get.number("reviewTimeoutSeconds"),
    reviewOutage: get.text("reviewOutage") as Config["reviewOutage"],
    maxStaleKeysSeconds: get.number("maxStaleKeysSeconds"),
    maxConnections: get.findNumber("maxConnections"),
    maxConnectionsPerAddress: get.findNumber("maxConnectionsPerAddress"),
    keepAliveSeconds: get.number("keepAliveSeconds"),
    drainSeconds: get.number("drainSeconds"),
  };
}

function address(name: SettingName, text: string): Address {
  const found = /^(?:\[([0-9a-f:.]+)\]|([\w.-]*)):(\d{1,5})$/i.exec(text);
  const port = Number(found?.[3]);
  if (!found || port > 65_535) {
    throw new VerifierError("CONFIG_INVALID", `${name}: expected HOST:PORT, [IPV6]:PORT or :PORT.`);
  }
  return { host: found[1] ?? (found[2] || undefined), port };
}

function realm(text: string): string {
  // It is in a quoted string of the header WWW-Authenticate.
  if (/^[\w .:/-]{1,64}$/.test(text)) return text;
  throw new VerifierError(
    "CONFIG_INVALID",
    "realm: expected up to 64 letters, digits, spaces and the characters _ . : / -.",
  );
}

function tlsFiles(get: Reader): TlsFiles | undefined {
  const certFile = get.find("tlsCertFile");
  const keyFile = get.find("tlsKeyFile");
  const clientCaFile = get.find("tlsClientCaFile");
  if (certFile && keyFile) return { certFile, keyFile, clientCaFile };
  if (!certFile && !keyFile && !clientCaFile) return undefined;
  throw new VerifierError("CONFIG_CONTRADICTION", "TLS needs both tlsCertFile and tlsKeyFile.");
}
