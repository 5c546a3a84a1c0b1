import * as pulumi from "@pulumi/pulumi";
import { GatewayInputError } from "../gateways/access.ts";

/** DNS labels and subdomains, as the API server checks the names of objects (RFC 1123). */
export const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
export const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Reads settings of one project, and gathers all that is wrong with them. */
export class SettingsReader<Key extends string> {
  readonly problems: string[] = [];
  readonly config: pulumi.Config;
  readonly #project: string;

  /** Everything that the project's configuration holds must be one of the keys. */
  constructor(config: pulumi.Config, keys: readonly Key[]) {
    this.config = config;
    this.#project = config.name;
    for (const key of this.#unknown(keys)) this.refuse(key, `is not a setting; known are ${keys.join(", ")}`);
  }

  refuse(key: string, problem: string): void {
    this.problems.push(`${this.#project}:${key} ${problem}`);
  }

  /** Throws one error that names every problem. */
  finish(): void {
    if (this.problems.length > 0) throw new pulumi.RunError(this.problems.join("\n"));
  }

  /** Empty text is undefined. */
  text(key: Key): string | undefined {
    return this.config.get(key)?.trim() || undefined;
  }

  secret(key: Key): pulumi.Output<string> | undefined {
    return this.text(key) === undefined ? undefined : this.config.requireSecret(key);
  }

  /** What a gateway's own rules make of a setting; what they refuse is refused by the setting's name. */
  fitted(key: Key, parse: (field: string, value: string) => string): string | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    try {
      return parse(key, value);
    } catch (error) {
      if (!(error instanceof GatewayInputError)) throw error;
      this.refuse(key, error.message.slice(`${key}: `.length));
      return undefined;
    }
  }

  flag(key: Key, instead: boolean): boolean {
    const value = this.text(key);
    if (value !== undefined && value !== "true" && value !== "false") {
      this.refuse(key, `is "${value}"; it is true or false`);
    }
    return value === undefined ? instead : value === "true";
  }

  name(key: Key, pattern: RegExp, limit: number): string | undefined {
    const value = this.text(key);
    if (value !== undefined && value.length > limit) {
      this.refuse(key, `has ${value.length} characters; at most ${limit} are allowed`);
    } else if (value !== undefined && !pattern.test(value)) {
      this.refuse(
        key,
        `is "${value}"; lower-case letters, digits and "-" are allowed, with a letter or digit at both ends`,
      );
    }
    return value;
  }

  /** The first value is the default. */
  choice<T extends string>(key: Key, values: readonly [T, ...T[]]): T {
    const value = this.text(key) ?? values[0];
    if (!(values as readonly string[]).includes(value)) {
      this.refuse(key, `is "${value}"; it is one of ${values.join(", ")}`);
    }
    return value as T;
  }

  /** A list; what it may hold is known. */
  choices<T extends string>(key: Key, values: readonly T[]): readonly T[] {
    const expected = `a list of some of ${values.join(", ")}`;
    const given = this.object(key, expected) ?? [];
    if (!Array.isArray(given)) {
      this.refuse(key, `is not ${expected}`);
      return [];
    }
    const unknown = given.filter((value: unknown) => !(values as readonly unknown[]).includes(value));
    if (unknown.length > 0) this.refuse(key, `has ${unknown.join(", ")}; it is ${expected}`);
    return [...new Set(given as T[])];
  }

  seconds(key: Key, instead: number): number {
    const value = this.text(key);
    if (value !== undefined && !/^\d{1,9}$/.test(value)) this.refuse(key, `is "${value}"; it is a number of seconds`);
    return value === undefined ? instead : Number(value);
  }

  /** An object or a list; undefined where there is none, and for what is not JSON. */
  object(key: Key, expected: string): unknown {
    try {
      return this.config.getObject(key);
    } catch {
      this.refuse(key, `is not ${expected}`);
      return undefined;
    }
  }

  #unknown(keys: readonly string[]): string[] {
    const prefix = `${this.#project}:`;
    return Object.keys(pulumi.runtime.allConfig())
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length))
      .filter((key) => !keys.includes(key));
  }
}
