import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { EngineError, messageOf, systemCode } from "./errors.ts";
import type { PluginSpec } from "./plugin.ts";
import { isObject, type Value } from "./values.ts";

export type ConfigType = "string" | "boolean" | "integer" | "array" | "object";

/** A setting that the project declares under `config:`. */
export interface ConfigDeclaration {
  readonly type: ConfigType;
  readonly default?: Value;
  readonly description?: string;
  readonly secret: boolean;
}

/** What the engine takes from Pulumi.yaml. */
export interface Project {
  readonly name: string;
  /** The folder of Pulumi.yaml. */
  readonly root: string;
  /** The program: a folder or file below the root, as `main` says. */
  readonly main: string;
  /** By full key, `PROJECT:KEY`. */
  readonly config: ReadonlyMap<string, ConfigDeclaration>;
  readonly plugins: readonly PluginSpec[];
  /** The runtime's own options, handed to the language host's runner. */
  readonly typescript: boolean;
}

/** Reads the Pulumi.yaml of a folder or of the nearest one above it. Throws `PROJECT_INVALID`. */
export async function loadProject(folder: string): Promise<Project> {
  const root = resolve(folder);
  const file = join(root, "Pulumi.yaml");
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const above = dirname(root);
    if (systemCode(error) === "ENOENT" && above !== root) {
      return loadProject(above).catch(() => {
        throw invalid(file, "does not exist, nor does one in a folder above. Run the command inside a Pulumi project");
      });
    }
    throw invalid(file, `could not be read: ${messageOf(error)}`);
  }
  return parseProject(text, file, root);
}

function parseProject(text: string, file: string, root: string): Project {
  let yaml: Value;
  try {
    yaml = parse(text) as Value;
  } catch (error) {
    throw invalid(file, `is not YAML: ${messageOf(error)}`);
  }
  if (!isObject(yaml) || typeof yaml.name !== "string") throw invalid(file, 'has no "name"');
  const runtime = isObject(yaml.runtime) ? yaml.runtime : { name: yaml.runtime };
  if (runtime.name !== "nodejs")
    throw invalid(file, `has the runtime ${JSON.stringify(runtime.name)}; this engine runs nodejs`);
  const options = isObject(runtime.options) ? runtime.options : {};
  const { name } = yaml;
  return {
    name,
    root,
    main: typeof yaml.main === "string" ? yaml.main : ".",
    config: declarations(isObject(yaml.config) ? yaml.config : {}, name, file),
    plugins: plugins(yaml.plugins, root, file),
    typescript: options.typescript !== false,
  };
}

function declarations(config: { [key: string]: Value | undefined }, project: string, file: string) {
  const result = new Map<string, ConfigDeclaration>();
  for (const [key, value] of Object.entries(config)) {
    const full = key.includes(":") ? key : `${project}:${key}`;
    const declaration = isObject(value) ? value : { default: value };
    // As for Pulumi, null is no default: the setting is required.
    const preset = declaration.default ?? declaration.value ?? undefined;
    const { type = typeOfDefault(preset) } = declaration;
    if (typeof type !== "string" || !["string", "boolean", "integer", "array", "object"].includes(type)) {
      throw invalid(file, `declares ${key} with the type ${JSON.stringify(type)}`);
    }
    result.set(full, {
      type: type as ConfigType,
      secret: declaration.secret === true,
      ...(preset !== undefined && { default: preset }),
      ...(typeof declaration.description === "string" && { description: declaration.description }),
    });
  }
  return result;
}

function typeOfDefault(value: Value | undefined): ConfigType {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "number") return "integer";
  if (Array.isArray(value)) return "array";
  return isObject(value) ? "object" : "string";
}

function plugins(section: Value | undefined, root: string, file: string): PluginSpec[] {
  if (!isObject(section)) return [];
  const providers = Array.isArray(section.providers) ? section.providers : [];
  return providers.map((entry) => {
    if (!isObject(entry) || typeof entry.name !== "string" || typeof entry.path !== "string") {
      throw invalid(file, "has an entry in plugins.providers without a name and a path");
    }
    const suffix = process.platform === "win32" ? ".cmd" : "";
    const executable = join(resolve(root, entry.path), `pulumi-resource-${entry.name}${suffix}`);
    return { name: entry.name, executable };
  });
}

function invalid(file: string, why: string): EngineError {
  return new EngineError("PROJECT_INVALID", `${file} ${why}.`);
}
