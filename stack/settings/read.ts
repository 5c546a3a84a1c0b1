import { closest, distance } from "fastest-levenshtein";
import * as v from "valibot";
import { type Schema, type Setting, setBy, type Values } from "./setting.ts";

/**
 * Reports a contradiction between settings, under the name of the first one. If one of them is malformed, nothing is reported, because its
 * value is not known.
 *
 * @param problem the predicate of a sentence whose subject is the first setting: "is set, but …"
 */
export type Refuse = (keys: readonly [string, ...string[]], problem: string) => void;

/** Refuses a renewal time that is not less than the lifetime, because the credential would always be due for renewal. */
export function refuseImmediateRenewal(
  [key, renewBefore]: readonly [string, number | undefined],
  [lifetimeKey, lifetime]: readonly [string, number],
  refuse: Refuse,
): void {
  if (renewBefore === undefined || renewBefore < lifetime) return;
  refuse([key, lifetimeKey], `is ${renewBefore}, which is not less than k8sauth:${lifetimeKey} (${lifetime})`);
}

/** Collects all problems of the settings of one project. */
export class Problems {
  readonly #project: string;
  readonly #found: string[] = [];
  readonly #malformed = new Set<string>();

  constructor(project: string) {
    this.#project = project;
  }

  /**
   * Reports a setting that is unknown or malformed.
   *
   * @param problem the predicate of a sentence whose subject is the setting. A path in the setting (".name", "[0]") may precede it
   */
  malformed(key: string, problem: string): void {
    this.#malformed.add(key);
    this.#add(key, problem);
  }

  readonly refuse: Refuse = (keys, problem) => {
    if (!keys.some((key) => this.#malformed.has(key))) this.#add(keys[0], problem);
  };

  /** One message with every problem; undefined if there is none. */
  get message(): string | undefined {
    if (this.#found.length === 0) return undefined;
    return ["The settings of this stack are not valid:", ...this.#found].join("\n  ");
  }

  #add(key: string, problem: string): void {
    const name = `${this.#project}:${key}`;
    const line = /^[.[]/.test(problem) ? `${name}${problem}` : `${name} ${problem}`;
    this.#found.push(/[.?]$/.test(line) ? line : `${line}.`);
  }
}

/**
 * Reads the settings of a project.
 *
 * @param config the project's configuration by name: text, and JSON for lists and objects
 */
export function readValues<S extends Schema>(
  schema: S,
  config: Readonly<Record<string, string>>,
  problems: Problems,
): Values<S> {
  for (const key of Object.keys(config)) {
    if (!Object.hasOwn(schema, key))
      problems.malformed(key, `is not a setting. ${suggestion(key, Object.keys(schema))}`);
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, setting]) => [key, readValue(key, setting, config[key]?.trim() ?? "", problems)]),
  ) as Values<S>;
}

function suggestion(key: string, known: readonly string[]): string {
  const nearest = closest(key, [...known]);
  const near = distance(key.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, key.length / 3);
  return near ? `Did you mean ${nearest}?` : "docs/settings.md has all settings";
}

function readValue(key: string, setting: Setting, given: string, problems: Problems): unknown {
  if (given === "") return setting.default;
  const value = setting.type === "list" || setting.type === "object" ? parseJson(given) : given;
  if (value === null) return setting.default;
  if (setting.type === "list" && !Array.isArray(value)) {
    problems.malformed(key, `must be a list. ${setBy(setting)}`);
    return setting.default;
  }
  if (setting.type === "object") {
    if (typeof value !== "object" || Array.isArray(value)) {
      problems.malformed(key, `must be an object. ${setBy(setting)}`);
      return setting.default;
    }
    if (Object.keys(value ?? {}).length === 0) return setting.default;
  }
  const result = v.safeParse(setting.schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  for (const issue of result.issues) problems.malformed(key, join(pathOf(issue), issue.message));
  return setting.default;
}

/** Parses JSON. Undefined if the text is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The path within the setting, in the notation of `pulumi config set --path`. */
function pathOf({ path }: v.BaseIssue<unknown>): string {
  return (path ?? [])
    .map(({ key }) => {
      if (typeof key === "number") return `[${key}]`;
      return /^[\w-]+$/.test(String(key)) ? `.${String(key)}` : `[${JSON.stringify(key)}]`;
    })
    .join("");
}

function join(path: string, message: string): string {
  return path === "" || /^[.[]/.test(message) ? `${path}${message}` : `${path} ${message}`;
}
