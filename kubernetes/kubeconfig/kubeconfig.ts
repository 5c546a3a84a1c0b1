import { readFileSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { KubeError } from "../errors.ts";
import { decodeText, parseText, TextError } from "./kubeconfigText.ts";

/** A value of a parsed document. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** A named entry of a kubeconfig, with the folder that its relative paths start from. */
export interface Entry {
  readonly name: string;
  readonly value: JsonObject;
  /** Folder of the file; "" for content without a file, whose relative paths start at the working directory. */
  readonly folder: string;
  /** Why the entry cannot be used. It is an error only if the entry is used. */
  readonly problem?: string;
}

/** A kubeconfig, merged from one or several files. */
export interface Kubeconfig {
  /** For messages: the path or paths, or "the kubeconfig given as content". */
  readonly source: string;
  readonly currentContext: string;
  readonly clusters: readonly Entry[];
  readonly contexts: readonly Entry[];
  readonly users: readonly Entry[];
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value if it is a string that is not empty. */
export function nonEmpty(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * Reads a list of strings. Numbers and booleans become strings. Empty for a value that is not a list.
 *
 * @throws KubeError KUBECONFIG_MALFORMED for a list with an element that is a list, a mapping or null
 */
export function stringList(value: Json | undefined, where: string): readonly string[] {
  if (!Array.isArray(value)) return [];
  if (value.every((one: Json) => typeof one !== "object")) return value.map(String);
  throw new KubeError("KUBECONFIG_MALFORMED", `${where} is not a list of text.`, {
    remedy: "Write each element as one word, in quotes if needed.",
  });
}

const inline = "the kubeconfig given as content";

/**
 * Finds and reads the kubeconfig: `given` is a path or the content. Without it the files of KUBECONFIG are read, or ~/.kube/config. Undefined if
 * ~/.kube/config does not exist, or if all of these files are empty.
 *
 * @throws KubeError KUBECONFIG_NOT_FOUND if `given` or KUBECONFIG names no file that exists, KUBECONFIG_UNREADABLE, KUBECONFIG_MALFORMED
 * @see https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files
 */
export async function findKubeconfig(
  given: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Kubeconfig | undefined> {
  if (given !== undefined && given.trim() !== "") {
    if (looksLikeContent(given)) return merge([await parse(withoutByteOrderMark(given), inline, "")]);
    if (!looksLikePath(given)) {
      throw new KubeError("KUBECONFIG_NOT_FOUND", "The kubeconfig given is neither a path nor the content of one.", {
        remedy: "Set the path of a file that exists, or the content as YAML or JSON. Decode base64 once.",
      });
    }
    const path = expandHome(given.trim(), env);
    const config = await readFile(path);
    if (config !== undefined) return config;
    throw new KubeError("KUBECONFIG_NOT_FOUND", `There is no kubeconfig at ${path}.`, {
      remedy: "Set the path of a file that exists, or the content of a kubeconfig.",
    });
  }
  const listed = env.KUBECONFIG ? env.KUBECONFIG.split(delimiter).filter((path) => path !== "") : undefined;
  const paths = listed ?? [standardPath(env)].filter((path) => path !== undefined);
  const configs = (await Promise.all([...new Set(paths)].map(readFile))).filter((config) => config !== undefined);
  if (listed !== undefined && configs.length === 0) {
    throw new KubeError(
      "KUBECONFIG_NOT_FOUND",
      `KUBECONFIG names ${listed.join(", ") || "no file"}, and no such file exists.`,
      { remedy: "Correct or unset KUBECONFIG." },
    );
  }
  const merged = merge(configs);
  const empty = [merged.clusters, merged.contexts, merged.users].every((list) => list.length === 0);
  return empty && merged.currentContext === "" ? undefined : merged;
}

/** The path that kubectl reads without KUBECONFIG. Undefined without a home folder. */
export function standardPath(env: NodeJS.ProcessEnv): string | undefined {
  const home = env.HOME || env.USERPROFILE;
  return home ? join(home, ".kube", "config") : undefined;
}

/** Resolves a path of an entry, as kubectl does. */
export function pathOf(entry: Entry, path: string): string {
  return isAbsolute(path) ? path : resolve(entry.folder, path);
}

function expandHome(path: string, env: NodeJS.ProcessEnv): string {
  const home = env.HOME || env.USERPROFILE;
  if (home && (path === "~" || path.startsWith("~/"))) return join(home, path.slice(1));
  return path;
}

const topLevelKey = /^["']?(?:apiVersion|kind|clusters|contexts|current-context|extensions|preferences|users)["']?\s*:/;

/** Whether a kubeconfig is content and not a path. */
export function looksLikeContent(given: string): boolean {
  const trimmed = withoutByteOrderMark(given).trim();
  return trimmed.startsWith("{") || trimmed.includes("\n") || topLevelKey.test(trimmed);
}

/** Whether a text may be shown as a path. Other texts may contain a credential: unrecognized content, or base64 of a kubeconfig. */
function looksLikePath(given: string): boolean {
  const trimmed = given.trim();
  const decoded = Buffer.from(trimmed, "base64").toString("utf8").trimStart();
  const isEncoded = decoded.startsWith("{") || topLevelKey.test(decoded);
  return trimmed.length <= 1024 && !isEncoded && !/[\p{Cc}{}]|: /u.test(trimmed);
}

function withoutByteOrderMark(content: string): string {
  return content.replace(/^\ufeff/, "");
}

/** Undefined for a file that does not exist. */
async function readFile(path: string): Promise<Kubeconfig | undefined> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    if (code === "ENOENT") return undefined;
    throw new KubeError("KUBECONFIG_UNREADABLE", `The kubeconfig ${path} cannot be read (${code}).`, {
      remedy: "Check that it is a file and that this user may read it.",
    });
  }
  return parse(bytes, path, dirname(resolve(path)));
}

async function parse(content: Buffer | string, source: string, folder: string): Promise<Kubeconfig> {
  let document: unknown;
  try {
    document = await parseText(typeof content === "string" ? content : decodeText(content));
  } catch (error) {
    if (error instanceof TextError) throw malformed(source, error.message);
    throw error;
  }
  if (document === null || document === undefined) {
    return { source, currentContext: "", clusters: [], contexts: [], users: [] };
  }
  if (!isObject(document)) throw malformed(source, "it is not a mapping");
  const { apiVersion, kind } = document;
  if ((nonEmpty(apiVersion) ?? "v1") !== "v1" || (nonEmpty(kind) ?? "Config") !== "Config") {
    throw malformed(source, 'its apiVersion is not "v1", or its kind is not "Config"');
  }
  const read = (list: string, key: string) => entries(document[list], list, key, source, folder);
  return {
    source,
    currentContext: nonEmpty(document["current-context"]) ?? "",
    clusters: read("clusters", "cluster"),
    contexts: read("contexts", "context"),
    users: read("users", "user"),
  };
}

/** Reads the entries that have a name. Only these can be used. */
function entries(value: Json | undefined, list: string, key: string, source: string, folder: string): readonly Entry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(source, `"${list}" is not a list`);
  const named = value.flatMap((item: Json, index): Entry[] => {
    const name = isObject(item) ? nonEmpty(item.name) : undefined;
    if (!isObject(item) || name === undefined) return [];
    const inner = item[key] ?? {};
    if (!isObject(inner)) return [{ name, value: {}, folder, problem: `${list}[${index}].${key} is not a mapping` }];
    const field = mistyped(inner);
    return [{ name, value: inner, folder, problem: field && `${list}[${index}].${key}.${field}` }];
  });
  const count = (name: string) => named.filter((entry) => entry.name === name).length;
  return named.map((entry) =>
    count(entry.name) > 1
      ? { ...entry, problem: `"${list}" has several entries with the name "${entry.name}"` }
      : entry,
  );
}

const textFields = [
  "server",
  "tls-server-name",
  "certificate-authority",
  "certificate-authority-data",
  "proxy-url",
  "cluster",
  "user",
  "namespace",
  "client-certificate",
  "client-certificate-data",
  "client-key",
  "client-key-data",
  "token",
  "tokenFile",
  "as",
  "as-uid",
  "username",
  "password",
];

/** Says which field has a value of another type; an unquoted token of digits is a number in YAML. */
function mistyped(value: JsonObject): string | undefined {
  const present = (field: string) => value[field] !== undefined && value[field] !== null;
  const field = textFields.find((name) => present(name) && typeof value[name] !== "string");
  if (field !== undefined)
    return `${field} is not text (YAML reads digits and words like yes as other types unless they are in quotes)`;
  const data = textFields.find((name) => name.endsWith("-data") && !isBase64(nonEmpty(value[name]) ?? ""));
  if (data !== undefined) return `${data} is not base64`;
  const mapping = ["exec", "auth-provider"].find((name) => present(name) && !isObject(value[name]));
  return mapping && `${mapping} is not a mapping`;
}

/** Whether Go decodes it (RFC 4648, section 4): padding is required, and line breaks are ignored. */
function isBase64(data: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(data.replace(/[\r\n]/g, ""));
}

/**
 * Finds an entry by its name. Undefined if the list has none.
 *
 * @throws KubeError KUBECONFIG_MALFORMED for an entry with a problem
 */
export function entryOf(config: Kubeconfig, list: "clusters" | "contexts" | "users", name: string): Entry | undefined {
  const entry = config[list].find((candidate) => candidate.name === name);
  if (entry?.problem !== undefined) throw malformed(config.source, entry.problem);
  return entry;
}

function malformed(source: string, why: string): KubeError {
  return new KubeError("KUBECONFIG_MALFORMED", `${capital(source)} is not a valid kubeconfig: ${why}.`, {
    remedy: 'Expected YAML or JSON with "clusters", "contexts", "users" and "current-context".',
  });
}

function capital(source: string): string {
  return source === inline ? `T${source.slice(1)}` : source;
}

/** The first file with an entry of a name has precedence, and so has the first current-context. */
function merge(configs: readonly Kubeconfig[]): Kubeconfig {
  const first = (pick: (config: Kubeconfig) => readonly Entry[]): readonly Entry[] => {
    const byName = new Map<string, Entry>();
    for (const entry of configs.flatMap(pick)) if (!byName.has(entry.name)) byName.set(entry.name, entry);
    return [...byName.values()];
  };
  return {
    source: configs.map((config) => config.source).join(", "),
    currentContext: configs.find((config) => config.currentContext !== "")?.currentContext ?? "",
    clusters: first((config) => config.clusters),
    contexts: first((config) => config.contexts),
    users: first((config) => config.users),
  };
}
