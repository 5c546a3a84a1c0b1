/** Reads settings from flags, environment and file. Flags have precedence over the environment, the environment over the file. */
import { readFileSync } from "node:fs";
import { VerifierError } from "../errors.ts";
import {
  flagOf,
  isSettingName,
  type Setting,
  type SettingName,
  settingNames,
  settingOf,
  variableOf,
} from "./settings.ts";

export type Value = string | number | readonly string[];
/** Settings by name, without defaults. */
export type Values = Partial<Record<SettingName, Value>>;

export interface Given {
  readonly values: Values;
  /** Entries of `issuers` in the file; `undefined` if the file has none. */
  readonly issuers: readonly Values[] | undefined;
}

export interface ConfigSources {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** @default reads the file, UTF-8 */
  readonly readFile?: (path: string) => string;
}

/** @throws VerifierError CONFIG_UNKNOWN_SETTING, CONFIG_INVALID, CONFIG_FILE_UNREADABLE, CONFIG_FILE_MALFORMED */
export function readSources({ args, env, readFile = (path) => readFileSync(path, "utf8") }: ConfigSources): Given {
  const flags = readFlags(args);
  const variables = readVariables(env);
  const path = flags.config ?? env[variableOf("config")];
  const file = path ? readConfigFile(path, readFile) : { values: {}, issuers: undefined };
  return { values: { ...file.values, ...variables, ...flags.values }, issuers: file.issuers };
}

function readFlags(args: readonly string[]): { values: Values; config: string | undefined } {
  const texts = new Map<SettingName, string[]>();
  const byFlag = new Map(settingNames.map((name) => [flagOf(name), name]));
  let config: string | undefined;
  for (let at = 0; at < args.length; at++) {
    const [flag = "", ...rest] = (args[at] as string).split("=");
    const name = byFlag.get(flag);
    if (!name && flag !== "--config") {
      throw new VerifierError(
        "CONFIG_UNKNOWN_SETTING",
        `There is no flag ${JSON.stringify(flag)}. --help lists all flags.`,
      );
    }
    const text = rest.length > 0 ? rest.join("=") : args[++at];
    if (text === undefined || (rest.length === 0 && text.startsWith("--"))) {
      throw new VerifierError("CONFIG_INVALID", `${flag} needs a value.`);
    }
    if (!name) config = text;
    else texts.set(name, [...(texts.get(name) ?? []), text]);
  }
  const values: Values = {};
  for (const [name, given] of texts) {
    const isList = settingOf(name).kind === "list";
    if (!isList && given.length > 1)
      throw new VerifierError("CONFIG_INVALID", `${flagOf(name)} is given more than once.`);
    values[name] = parse(name, flagOf(name), isList ? given.flatMap(splitList) : (given[0] as string));
  }
  return { values, config };
}

/** Variables that the kubelet sets for a Service whose name begins with `k8sauth-verifier-`. */
const serviceLink = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/;

function readVariables(env: NodeJS.ProcessEnv): Values {
  const prefix = variableOf("config").slice(0, -"CONFIG".length);
  const byVariable = new Map(settingNames.map((name) => [variableOf(name), name]));
  const values: Values = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || variable === variableOf("config") || text === undefined) continue;
    const name = byVariable.get(variable);
    if (!name && serviceLink.test(variable)) continue;
    if (!name) {
      throw new VerifierError(
        "CONFIG_UNKNOWN_SETTING",
        `There is no setting for the variable ${variable}. --help lists all settings.`,
      );
    }
    if (text === "") continue;
    values[name] = parse(name, variable, settingOf(name).kind === "list" ? splitList(text) : text);
  }
  return values;
}

function readConfigFile(path: string, readFile: (path: string) => string): Given {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new VerifierError("CONFIG_FILE_UNREADABLE", `The configuration file ${path} cannot be read (${code}).`);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new VerifierError("CONFIG_FILE_MALFORMED", `The configuration file ${path} is not JSON.`);
  }
  if (!isObject(parsed)) {
    throw new VerifierError(
      "CONFIG_FILE_MALFORMED",
      `The configuration file ${path} is not a JSON object with settings.`,
    );
  }
  const { issuers, ...rest } = parsed;
  const values = readFields(rest, path, () => true);
  if (issuers === undefined) return { values, issuers: undefined };
  if (!Array.isArray(issuers) || issuers.length === 0 || !issuers.every(isObject)) {
    throw new VerifierError("CONFIG_FILE_MALFORMED", `"issuers" in ${path} is not a list of at least one object.`);
  }
  const perIssuer = (name: SettingName) => settingOf(name).perIssuer === true;
  return { values, issuers: issuers.map((entry, at) => readFields(entry, `issuers[${at}] of ${path}`, perIssuer)) };
}

function readFields(fields: Record<string, unknown>, where: string, allowed: (name: SettingName) => boolean): Values {
  const values: Values = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!isSettingName(name) || !allowed(name)) {
      const names = settingNames.filter(allowed).join(", ");
      throw new VerifierError(
        "CONFIG_UNKNOWN_SETTING",
        `There is no setting ${JSON.stringify(name)} in ${where}: expected ${names}.`,
      );
    }
    values[name] = parse(name, `${name} in ${where}`, value);
  }
  return values;
}

/** Checks and converts a value. Messages do not contain it, because it can be a misplaced secret. */
function parse(name: SettingName, where: string, value: unknown): Value {
  const setting: Setting = settingOf(name);
  const bad = (expected: string) => new VerifierError("CONFIG_INVALID", `${where}: expected ${expected}.`);
  switch (setting.kind) {
    case "list": {
      const list = typeof value === "string" ? [value] : value;
      if (!Array.isArray(list) || !list.every(isText) || list.length === 0)
        throw bad("a list of strings that are not empty");
      return list;
    }
    case "seconds":
    case "count": {
      const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value;
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting;
      const fits = typeof number === "number" && number >= min && number <= max;
      if (!fits || (setting.kind === "count" && !Number.isInteger(number))) {
        throw bad(`${setting.kind === "count" ? "a whole number" : "seconds"} from ${min} to ${max}`);
      }
      return number;
    }
    case "choice":
      if (!setting.choices?.includes(value as string)) throw bad(`one of ${setting.choices?.join(", ")}`);
      return value as string;
    case "text":
      if (!isText(value)) throw bad("a string that is not empty and has no spaces around it");
      return value;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.trim() === value && value.length <= 4096;
}

function splitList(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Typed access to the values of settings, with their defaults. */
export interface Reader {
  find(name: SettingName): string | undefined;
  findNumber(name: SettingName): number | undefined;
  text(name: SettingName): string;
  number(name: SettingName): number;
  list(name: SettingName): readonly string[];
}

export function reader(values: Values): Reader {
  const value = (name: SettingName): Value | undefined => values[name] ?? settingOf(name).default;
  return {
    find: (name) => value(name) as string | undefined,
    findNumber: (name) => value(name) as number | undefined,
    text: (name) => value(name) as string,
    number: (name) => value(name) as number,
    list: (name) => (value(name) ?? []) as readonly string[],
  };
}
