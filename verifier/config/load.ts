/** Settings to configuration: everything that can be known to be wrong is refused here, before anything is opened. */

import { VerifierError } from "../errors.ts";
import { parseRule } from "../rules.ts";
import type { Address, Config, LogLevel, TlsFiles } from "./config.ts";
import { issuerConfigs } from "./issuers.ts";
import { type ConfigSources, readSources, type Value, type Values } from "./read.ts";
import { type SettingName, settingOf } from "./settings.ts";

/**
 * Reads and checks the configuration.
 *
 * @throws VerifierError with a CONFIG_… code
 */
export function loadConfig(sources: ConfigSources): Config {
  const { values, issuers } = readSources(sources);
  const get = reader(values);
  return {
    listen: address("listen", get.text("listen")),
    adminListen: address("adminListen", get.text("adminListen")),
    tls: tlsFiles(get),
    issuers: issuerConfigs(values, issuers, sources.env),
    realm: realm(get.text("realm")),
    logLevel: get.text("logLevel") as LogLevel,
    localCacheSeconds: get.number("localCacheSeconds"),
    reviewCacheSeconds: get.number("reviewCacheSeconds"),
    refusedCacheSeconds: get.number("refusedCacheSeconds"),
    cacheEntries: get.number("cacheEntries"),
    refusedCacheEntries: get.number("refusedCacheEntries"),
    maxReviews: get.number("maxReviews"),
    reviewTimeoutSeconds: get.number("reviewTimeoutSeconds"),
    reviewOutage: get.text("reviewOutage") as Config["reviewOutage"],
    maxStaleKeysSeconds: get.number("maxStaleKeysSeconds"),
    maxConnections: get.number("maxConnections"),
    keepAliveSeconds: get.number("keepAliveSeconds"),
    drainSeconds: get.number("drainSeconds"),
  };
}

/** Typed access to values, with the defaults of the settings. */
export interface Reader {
  find(name: SettingName): string | undefined;
  text(name: SettingName): string;
  number(name: SettingName): number;
  list(name: SettingName): readonly string[];
}

export function reader(values: Values): Reader {
  const value = (name: SettingName): Value | undefined => values[name] ?? settingOf(name).default;
  return {
    find: (name) => value(name) as string | undefined,
    text: (name) => value(name) as string,
    number: (name) => value(name) as number,
    list: (name) => (value(name) ?? []) as readonly string[],
  };
}

/** Rules of an `allow` list. */
export function rulesOf(get: Reader) {
  return get.list("allow").map(parseRule);
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
  // It stands in a quoted string of a header.
  if (/^[\w .:/-]{1,64}$/.test(text)) return text;
  throw new VerifierError(
    "CONFIG_INVALID",
    "realm: expected up to 64 letters, digits, blanks and the characters _ . : / -.",
  );
}

function tlsFiles(get: Reader): TlsFiles | undefined {
  const certFile = get.find("tlsCertFile");
  const keyFile = get.find("tlsKeyFile");
  const clientCaFile = get.find("tlsClientCaFile");
  if (certFile && keyFile) return { certFile, keyFile, clientCaFile };
  if (!certFile && !keyFile && !clientCaFile) return undefined;
  throw new VerifierError("CONFIG_CONTRADICTION", "TLS needs tlsCertFile and tlsKeyFile, both of them.");
}
