import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { PreviewOptions, UpOptions } from "@pulumi/pulumi/automation/index.js";
import { parse } from "yaml";

/** Settings by name, as in the `config` block of `Pulumi.STACK.yaml`. */
type Settings = Readonly<Record<string, unknown>>;

export interface Cluster {
  readonly name: string;
  readonly stack: string;
  readonly settings: Settings;
}

/** Peak of the Pulumi CLI, the program and the plugins in one `up`. */
export const stackMB = 600;

/** Reads a list of clusters. @param file its path; `program` is relative to its folder @throws Error if it is not valid */
export function parseList(text: string, file: string) {
  const fitting = Math.min(availableParallelism(), Math.floor(process.availableMemory() / 1e6 / stackMB));
  const { program, stackPrefix = "", defaults, clusters, ...list } = parse(text) ?? {};
  const { parallel = Math.max(1, fitting), timeoutSeconds = 600, options = {}, ...unknown } = list;
  const [unknownKey] = Object.keys(unknown);
  const invalid = (problem: string) => new Error(`${file}: ${problem}`);
  if (unknownKey) throw invalid(`unknown key \`${unknownKey}\`. The example's fleet.yaml has all keys.`);
  if (!isMap(clusters)) throw invalid("`clusters` is not a map from cluster names to settings.");
  if (!(timeoutSeconds > 0)) throw invalid("`timeoutSeconds` is not a number above 0.");
  if (!Number.isInteger(parallel) || parallel < 1) throw invalid("`parallel` is not a whole number above 0.");
  return {
    program: program ? resolve(dirname(file), program) : fileURLToPath(new URL("../..", import.meta.url)),
    timeoutSeconds: timeoutSeconds as number,
    parallel: parallel as number,
    options: options as UpOptions & PreviewOptions,
    clusters: Object.entries(clusters).map(([name, settings]): Cluster => {
      return { name, stack: `${stackPrefix}${name}`, settings: { ...defaults, ...(settings as Settings) } };
    }),
  };
}

/** Merges settings. Secrets and settings of other projects come from the stack, all others from the list. */
export function mergeSettings(project: string, present: Settings, listed: Settings): Settings {
  const secret = (value: unknown) => isMap(value) && "secure" in value;
  const kept = Object.entries(present).filter(([key, value]) => !key.startsWith(`${project}:`) || secret(value));
  return Object.fromEntries([...kept, ...Object.entries(listed).map(([key, value]) => [`${project}:${key}`, value])]);
}

function isMap(value: unknown): value is Settings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
