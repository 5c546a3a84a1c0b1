import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { KubeError } from "./errors.ts";

/** A value of a parsed document. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
export type JsonObject = { readonly [key: string]: Json | undefined };

/** A named entry of a kubeconfig, with the folder that its relative paths start from. */
export interface Entry {
  readonly name: string;
  readonly value: JsonObject;
  /** Folder of the file; "" for content that has no file (relative paths then start at the working directory). */
  readonly folder: string;
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

/** The value as text, where it is a non-empty string. */
export function text(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

const inline = "the kubeconfig given as content";

/**
 * Finds and reads the kubeconfig: `given` is a path or the content; without it the files of KUBECONFIG, then
 * ~/.kube/config. Undefined when nothing was given and no file is there.
 *
 * @see https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files
 */
export async function findKubeconfig(
  given: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Kubeconfig | undefined> {
  if (given !== undefined && given.trim() !== "") {
    if (looksLikeContent(given)) return merge([await parse(given, inline, "")]);
    const path = expandHome(given.trim(), env);
    if (!existsSync(path)) {
      throw new KubeError("KUBECONFIG_NOT_FOUND", `There is no kubeconfig at ${path}.`, {
        remedy: "Give the path of a file that exists, or the content of a kubeconfig.",
      });
    }
    return merge([await parse(readText(path), path, dirname(resolve(path)))]);
  }
  const listed = (env.KUBECONFIG ?? "").split(delimiter).filter((path) => path !== "");
  if (listed.length > 0) {
    const present = listed.map((path) => expandHome(path, env)).filter((path) => existsSync(path));
    if (present.length === 0) {
      throw new KubeError("KUBECONFIG_NOT_FOUND", `KUBECONFIG names ${listed.join(", ")}, and no such file exists.`, {
        remedy: "Correct or unset KUBECONFIG.",
      });
    }
    return merge(await Promise.all(present.map((path) => parse(readText(path), path, dirname(resolve(path))))));
  }
  const standard = standardPath(env);
  if (standard === undefined || !existsSync(standard)) return undefined;
  return merge([await parse(readText(standard), standard, dirname(standard))]);
}

/** Where kubectl looks without KUBECONFIG; undefined where there is no home folder. */
export function standardPath(env: NodeJS.ProcessEnv): string | undefined {
  const home = env.HOME || env.USERPROFILE;
  return home ? join(home, ".kube", "config") : undefined;
}

/** Makes a path of a kubeconfig entry absolute, as kubectl does. */
export function pathOf(entry: Entry, path: string): string {
  return isAbsolute(path) ? path : resolve(entry.folder, path);
}

function expandHome(path: string, env: NodeJS.ProcessEnv): string {
  const home = env.HOME || env.USERPROFILE;
  if (home && (path === "~" || path.startsWith("~/"))) return join(home, path.slice(1));
  return path;
}

function looksLikeContent(given: string): boolean {
  const trimmed = given.trim();
  return trimmed.startsWith("{") || trimmed.includes("\n") || trimmed.startsWith("apiVersion:");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new KubeError("KUBECONFIG_UNREADABLE", `The kubeconfig ${path} cannot be read (${code}).`, {
      remedy: "Check that it is a file and that this user may read it.",
    });
  }
}

async function parse(content: string, source: string, folder: string): Promise<Kubeconfig> {
  const document = await parseDocument(content, source);
  if (document === null || document === undefined) {
    return { source, currentContext: "", clusters: [], contexts: [], users: [] };
  }
  if (!isObject(document)) throw malformed(source, "it is not a mapping");
  const read = (list: string, key: string) => entries(document[list], list, key, source, folder);
  return {
    source,
    currentContext: text(document["current-context"]) ?? "",
    clusters: read("clusters", "cluster"),
    contexts: read("contexts", "context"),
    users: read("users", "user"),
  };
}

async function parseDocument(content: string, source: string): Promise<unknown> {
  if (content.trimStart().startsWith("{")) {
    try {
      return JSON.parse(content);
    } catch {
      // YAML's flow style also starts with a brace.
    }
  }
  const { parseDocument: parseYaml } = await import("yaml");
  // prettyErrors would quote the lines around the error, and those hold credentials.
  const parsed = parseYaml(content, { prettyErrors: false });
  const [error] = parsed.errors;
  if (error) {
    const line = content.slice(0, error.pos[0]).split("\n").length;
    throw malformed(source, `line ${line}: ${error.code}`);
  }
  return parsed.toJS();
}

function entries(value: Json | undefined, list: string, key: string, source: string, folder: string): readonly Entry[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw malformed(source, `"${list}" is not a list`);
  return value.map((item: Json, index) => {
    const name = isObject(item) ? text(item.name) : undefined;
    if (!isObject(item) || name === undefined) throw malformed(source, `${list}[${index}] has no name`);
    const inner = item[key] ?? {};
    if (!isObject(inner)) throw malformed(source, `${list}[${index}].${key} is not a mapping`);
    return { name, value: inner, folder };
  });
}

function malformed(source: string, why: string): KubeError {
  return new KubeError("KUBECONFIG_MALFORMED", `${capital(source)} is not a kubeconfig: ${why}.`, {
    remedy: 'Expected YAML or JSON with "clusters", "contexts", "users" and "current-context".',
  });
}

function capital(source: string): string {
  return source === inline ? `T${source.slice(1)}` : source;
}

/** The first file that names an entry wins, and so does the first current-context. */
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
