import { readFile } from "node:fs/promises";
import { EngineError, messageOf, unsupported } from "./errors.ts";
import { isObject, type Properties, type Value } from "./values.ts";

/** Pulumi's enforcement levels. */
const levels = ["advisory", "mandatory", "remediate", "disabled"] as const;
export type EnforcementLevel = (typeof levels)[number];

/** What a pack says of one of its policies. */
export interface PolicyInfo {
  readonly name: string;
  readonly level: EnforcementLevel;
  /** A JSON Schema for each setting. */
  readonly properties: Properties;
  readonly required: readonly string[];
}

export interface PolicySettings {
  readonly level: EnforcementLevel | undefined;
  readonly properties: Properties;
}

export interface EffectiveSettings extends PolicySettings {
  readonly level: EnforcementLevel;
}

/**
 * The settings of a pack's policies: their own defaults, over them what the pack starts with, over that the file's. The
 * name `all` in the file sets the level of every policy. Throws `POLICY_PACK_INVALID` for a file that does not fit.
 */
export async function policySettings(
  policies: readonly PolicyInfo[],
  initial: ReadonlyMap<string, PolicySettings>,
  file: string | undefined,
): Promise<Map<string, EffectiveSettings>> {
  const given = file === undefined ? new Map<string, PolicySettings>() : await readSettings(file);
  const names = new Set(policies.map(({ name }) => name));
  const stray = [...given.keys()].filter((name) => name !== "all" && !names.has(name));
  if (stray.length > 0) {
    throw invalid(file, `names ${stray.join(", ")}, which the pack does not have. It has: ${[...names].join(", ")}`);
  }
  const result = new Map<string, EffectiveSettings>();
  for (const policy of policies) {
    const layers = [initial.get("all"), initial.get(policy.name), given.get("all"), given.get(policy.name)];
    let settings: EffectiveSettings = { level: policy.level, properties: defaultsOf(policy) };
    for (const layer of layers) {
      settings = {
        level: layer?.level ?? settings.level,
        properties: { ...settings.properties, ...layer?.properties },
      };
    }
    const problems = problemsOf(policy, settings.properties);
    if (problems.length > 0) throw invalid(file, `does not fit the policy ${policy.name}: ${problems.join("; ")}`);
    result.set(policy.name, settings);
  }
  return result;
}

async function readSettings(file: string): Promise<Map<string, PolicySettings>> {
  let json: unknown;
  try {
    const text = await readFile(file, "utf8");
    json = text.trim() === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw invalid(file, `could not be read: ${messageOf(error)}`);
  }
  if (!isObject(json)) throw invalid(file, "is no JSON object of policies by name");
  if ("environments" in json) throw unsupported("environments in policy settings", file);
  return new Map(Object.entries(json).map(([name, value]) => [name, readPolicy(file, name, value)]));
}

function readPolicy(file: string, name: string, value: Value | undefined): PolicySettings {
  if (typeof value === "string") return { level: levelOf(file, name, value), properties: {} };
  if (!isObject(value)) throw invalid(file, `has neither a level nor an object for ${name}`);
  const { enforcementLevel, ...properties } = value;
  const level = enforcementLevel === undefined ? undefined : levelOf(file, name, enforcementLevel);
  if (name === "all" && Object.keys(properties).length > 0) {
    throw invalid(file, "has settings for all; only a level can be for all");
  }
  return { level, properties };
}

function levelOf(file: string, name: string, value: Value): EnforcementLevel {
  const level = levels.find((known) => known === value);
  if (level) return level;
  throw invalid(file, `has the level ${JSON.stringify(value)} for ${name}; expected one of ${levels.join(", ")}`);
}

function defaultsOf({ properties }: PolicyInfo): Properties {
  const entries = Object.entries(properties).map(([name, schema]) => [
    name,
    isObject(schema) ? schema.default : undefined,
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function problemsOf(policy: PolicyInfo, properties: Properties): string[] {
  const missing = policy.required.filter((name) => properties[name] === undefined);
  return [
    ...missing.map((name) => `${name} is required`),
    ...Object.entries(properties).flatMap(([name, value]) => misfits(name, value, policy.properties[name])),
  ];
}

/** What a schema can say beside these is refused, not ignored. */
const keywords = [
  "type",
  "enum",
  "minimum",
  "maximum",
  "minLength",
  "maxLength",
  "pattern",
  "items",
  "minItems",
  "maxItems",
];
const words = ["description", "default", "title", "format"];

/** Where a value does not fit its schema; settings without one may be anything, as with Pulumi. */
function misfits(name: string, value: Value | undefined, schema: Value | undefined): string[] {
  if (!isObject(schema) || value === undefined) return [];
  const strange = Object.keys(schema).filter((key) => ![...keywords, ...words].includes(key));
  if (strange.length > 0) throw unsupported(`the schema keyword ${strange.join(", ")}`, `The policy setting ${name}`);
  const types = ([] as Value[]).concat(schema.type ?? []);
  if (types.length > 0 && !types.some((type) => isOf(type, value)))
    return [`${name} must be of type ${types.join(" or ")}`];
  if (Array.isArray(schema.enum) && !schema.enum.includes(value))
    return [`${name} must be one of ${schema.enum.join(", ")}`];
  return [...sizeMisfits(name, value, schema), ...itemMisfits(name, value, schema)];
}

function sizeMisfits(name: string, value: Value, schema: Properties): string[] {
  const bounds = (size: number, what: string, least: Value | undefined, most: Value | undefined) => [
    ...(typeof least === "number" && size < least ? [`${name} must ${what} at least ${least}`] : []),
    ...(typeof most === "number" && size > most ? [`${name} must ${what} at most ${most}`] : []),
  ];
  if (typeof value === "number") return bounds(value, "be", schema.minimum, schema.maximum);
  if (Array.isArray(value)) return bounds(value.length, "have", schema.minItems, schema.maxItems);
  if (typeof value !== "string") return [];
  const matches = typeof schema.pattern !== "string" || new RegExp(schema.pattern, "u").test(value);
  const shape = matches ? [] : [`${name} must match ${schema.pattern}`];
  return [...bounds(value.length, "be as long as", schema.minLength, schema.maxLength), ...shape];
}

function itemMisfits(name: string, value: Value, schema: Properties): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item, index) => misfits(`${name}[${index}]`, item, schema.items));
}

function isOf(type: Value, value: Value): boolean {
  switch (type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

function invalid(file: string | undefined, why: string): EngineError {
  return new EngineError("POLICY_PACK_INVALID", `${file ?? "The policy pack's own configuration"} ${why}.`);
}
