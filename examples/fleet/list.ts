/** The list of clusters: the one file that says which stacks there are and how they are set. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Value } from "../../engine/index.ts";

/** One cluster, and so one stack. */
export interface Cluster {
  readonly name: string;
  readonly stack: string;
  /** Everything of the cluster has to be done by then, in seconds. */
  readonly timeoutSeconds: number;
  /** The stack's settings by their short names; the kubeconfig's path and context are among them. */
  readonly settings: Readonly<Record<string, Value>>;
}

export interface FleetList {
  /** The folder of Pulumi.yaml. */
  readonly program: string;
  /** Where `Pulumi.STACK.yaml` files are. */
  readonly settingsFolder: string;
  /** How many stacks are worked on at once; undefined leaves it to the machine. */
  readonly parallel?: number;
  readonly clusters: readonly Cluster[];
}

/** A list that can't be used; the message names everything that is wrong with it. */
export class ListError extends Error {
  override readonly name = "ListError";
}

const ownProgram = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const defaultTimeout = 600;
const longest = 86_400;
const fields = ["program", "settingsFolder", "stackPrefix", "timeoutSeconds", "parallel", "defaults", "clusters"];
const clusterFields = ["name", "kubeconfig", "context", "timeoutSeconds", "settings"];

type Map = { readonly [key: string]: Value | undefined };

/** Reads and checks a list (YAML or JSON). Relative paths in it are relative to its folder. */
export async function readList(file: string): Promise<FleetList> {
  const path = resolve(file);
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new ListError(`The list of clusters can't be read: ${error.message}.`);
  });
  let yaml: Value;
  try {
    yaml = parse(text) as Value;
  } catch (error) {
    throw new ListError(`${path} is not YAML: ${(error as Error).message}`);
  }
  const problems: string[] = [];
  const list = new Reader(dirname(path), problems).list(isMap(yaml) ? yaml : {});
  if (problems.length > 0)
    throw new ListError(`${path} can't be used:\n${problems.map((one) => `- ${one}`).join("\n")}`);
  return list;
}

class Reader {
  readonly #folder: string;
  readonly #problems: string[];

  constructor(folder: string, problems: string[]) {
    this.#folder = folder;
    this.#problems = problems;
  }

  list(yaml: Map): FleetList {
    this.#known(yaml, fields, "the list");
    const prefix = this.#text(yaml.stackPrefix, "stackPrefix") ?? "";
    const timeout = this.#count(yaml.timeoutSeconds, "timeoutSeconds", longest) ?? defaultTimeout;
    const parallel = this.#count(yaml.parallel, "parallel", 1_000);
    const defaults = this.#map(yaml.defaults, "defaults");
    const entries = Array.isArray(yaml.clusters) ? yaml.clusters : [];
    if (entries.length === 0) this.#problems.push("clusters: names none");
    const clusters = entries.map((entry, index) => this.#cluster(entry, index, { prefix, timeout, defaults }));
    const names = clusters.map(({ name }) => name);
    for (const name of new Set(names.filter((one, index) => names.indexOf(one) !== index))) {
      this.#problems.push(`clusters: "${name}" is there twice`);
    }
    const program = this.#path(yaml.program, "program") ?? ownProgram;
    const settingsFolder = this.#path(yaml.settingsFolder, "settingsFolder") ?? program;
    return { program, settingsFolder, clusters, ...(parallel && { parallel }) };
  }

  #cluster(entry: Value, index: number, preset: { prefix: string; timeout: number; defaults: Map }): Cluster {
    const yaml = isMap(entry) ? entry : {};
    const name = typeof yaml.name === "string" ? yaml.name : "";
    const where = name ? `cluster ${name}` : `clusters[${index}]`;
    if (!/^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}$/.test(name)) {
      this.#problems.push(`${where}: it needs a name of letters, digits, "-", "_" and ".", 80 at most`);
    }
    this.#known(yaml, clusterFields, where);
    const kubeconfig = this.#path(yaml.kubeconfig, `${where}: kubeconfig`);
    const context = this.#text(yaml.context, `${where}: context`);
    const settings = {
      ...preset.defaults,
      ...this.#map(yaml.settings, `${where}: settings`),
      ...(kubeconfig && { kubeconfig }),
      ...(context && { context }),
    };
    const timeoutSeconds = this.#count(yaml.timeoutSeconds, `${where}: timeoutSeconds`, longest) ?? preset.timeout;
    return { name, stack: `${preset.prefix}${name}`, timeoutSeconds, settings: settings as Record<string, Value> };
  }

  #known(yaml: Map, known: readonly string[], where: string): void {
    const stray = Object.keys(yaml).filter((key) => !known.includes(key));
    if (stray.length > 0) this.#problems.push(`${where}: there is no ${stray.join(", ")}; it is ${known.join(", ")}`);
  }

  #text(value: Value | undefined, where: string): string | undefined {
    if (value === undefined || typeof value === "string") return value || undefined;
    this.#problems.push(`${where}: is not a text`);
    return undefined;
  }

  /** A kubeconfig's content would stand in the settings in clear. */
  #path(value: Value | undefined, where: string): string | undefined {
    const text = this.#text(value, where);
    if (text === undefined) return undefined;
    if (text.includes("\n")) this.#problems.push(`${where}: is not the path of a file`);
    if (text === "~" || text.startsWith("~/")) return join(homedir(), text.slice(1));
    return resolve(this.#folder, text);
  }

  #count(value: Value | undefined, where: string, most: number): number | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
    this.#problems.push(`${where}: is not a whole number from 1 to ${most}`);
    return undefined;
  }

  #map(value: Value | undefined, where: string): Map {
    if (value === undefined || value === null) return {};
    if (isMap(value)) return value;
    this.#problems.push(`${where}: is not a map of settings`);
    return {};
  }
}

function isMap(value: Value): value is { [key: string]: Value | undefined } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
