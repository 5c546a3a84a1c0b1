import { readFile } from "node:fs/promises";
import { Document, parseDocument } from "yaml";
import { writeAtomically } from "./backend.ts";
import { EngineError, messageOf, systemCode } from "./errors.ts";
import type { ConfigDeclaration, Project } from "./project.ts";
import type { Crypter } from "./secrets.ts";
import { isObject, type Value } from "./values.ts";

/** A stack's settings file, `Pulumi.STACK.yaml`. Comments and order survive changes. */
export class StackSettings {
  readonly file: string;
  readonly #document: Document;

  private constructor(file: string, document: Document) {
    this.file = file;
    this.#document = document;
  }

  /** Reads the file; one that does not exist is an empty one. Throws `CONFIG_INVALID`. */
  static async load(file: string): Promise<StackSettings> {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return "";
      throw new EngineError("CONFIG_INVALID", `${file} could not be read: ${messageOf(error)}`);
    });
    const document = text.trim() === "" ? new Document({}) : parseDocument(text);
    const first = document.errors[0];
    if (first) throw new EngineError("CONFIG_INVALID", `${file} is not YAML: ${first.message}`);
    const json = document.toJS() as Value;
    if (!isObject(json)) throw new EngineError("CONFIG_INVALID", `${file} is not a map of settings.`);
    for (const key of ["environment", "secretsprovider"] as const) {
      const value = json[key];
      if (value === undefined || (key === "secretsprovider" && value === "passphrase")) continue;
      throw new EngineError(
        "SECRETS_PROVIDER_UNSUPPORTED",
        `${file} sets "${key}", which the embedded engine does not carry. Use the Pulumi CLI for this stack.`,
      );
    }
    return new StackSettings(file, document);
  }

  get salt(): string | undefined {
    const salt = this.#document.get("encryptionsalt");
    return typeof salt === "string" ? salt : undefined;
  }

  set salt(salt: string) {
    this.#document.set("encryptionsalt", salt);
  }

  /** Settings by full key; secret ones are `{secure: CIPHERTEXT}`. */
  get config(): { [key: string]: Value | undefined } {
    const config = (this.#document.toJS() as { config?: Value }).config;
    return isObject(config) ? config : {};
  }

  setConfig(key: string, value: Value): void {
    this.#document.setIn(["config", key], value);
  }

  removeConfig(key: string): boolean {
    return this.#document.deleteIn(["config", key]);
  }

  /** A file without settings is written as nothing at all, which is valid YAML. */
  async save(): Promise<void> {
    await writeAtomically(this.file, this.#document.toString());
  }
}

/** What a program gets: values as text (structured ones as JSON), by full key. */
export interface ProgramConfig {
  readonly values: Readonly<Record<string, string>>;
  /** Keys whose values are encrypted in the settings file, as a whole or in part. */
  readonly secretKeys: readonly string[];
}

/** Whether any of the stack's settings is encrypted, so that a passphrase is needed to run the program. */
export function hasSecrets(settings: StackSettings): boolean {
  return Object.values(settings.config).some(containsSecure);
}

/** What is encrypted among the stack's settings, decrypted. */
export function secretsOf(settings: StackSettings, crypter: Crypter): string[] {
  const found: string[] = [];
  const collecting = { decrypt: (ciphertext: string) => found[found.push(crypter.decrypt(ciphertext)) - 1] as string };
  for (const value of Object.values(settings.config)) decrypted(value, collecting);
  return found;
}

/**
 * The configuration of a run: the stack's settings over the project's defaults, each of its declared type. Throws
 * `CONFIG_INVALID` for a wrong type and `CONFIG_MISSING` for a declared setting with neither value nor default.
 */
export function programConfig(project: Project, settings: StackSettings, crypter: Crypter | undefined): ProgramConfig {
  const values: Record<string, string> = {};
  const secretKeys: string[] = [];
  for (const [key, value] of Object.entries(settings.config)) {
    const full = key.includes(":") ? key : `${project.name}:${key}`;
    if (value === undefined) continue;
    const declaration = project.config.get(full);
    if (containsSecure(value)) {
      if (!crypter)
        throw new EngineError("PASSPHRASE_MISSING", `${settings.file}: ${full} is encrypted; a passphrase is needed.`);
      values[full] = asText(decrypted(value, crypter) ?? null);
      secretKeys.push(full);
    } else {
      if (declaration) checkType(full, value, declaration, settings.file);
      values[full] = asText(value);
    }
  }
  for (const [key, declaration] of project.config) {
    if (key in values) continue;
    if (declaration.default === undefined) {
      throw new EngineError(
        "CONFIG_MISSING",
        `The setting ${key} has no value. Set it: k8sauth config set ${key} VALUE`,
      );
    }
    values[key] = asText(declaration.default);
  }
  return { values, secretKeys };
}

function isSecure(value: Value | undefined): value is { secure: string } {
  return isObject(value) && typeof value.secure === "string" && Object.keys(value).length === 1;
}

/** `pulumi config set --secret --path` encrypts single members of a structured setting. */
function containsSecure(value: Value | undefined): boolean {
  if (Array.isArray(value)) return value.some(containsSecure);
  return isSecure(value) || (isObject(value) && Object.values(value).some(containsSecure));
}

/** A setting as it may be shown. */
export function withoutCiphertexts(value: Value): Value {
  return decrypted(value, { decrypt: () => "[secret]" }) as Value;
}

function decrypted(value: Value | undefined, crypter: Pick<Crypter, "decrypt">): Value | undefined {
  if (isSecure(value)) return crypter.decrypt(value.secure);
  if (Array.isArray(value)) return value.map((item) => decrypted(item, crypter) as Value);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decrypted(item, crypter)]));
}

/**
 * A value as programs get it: structured ones as JSON with members sorted by name, which is how the Pulumi CLI gives them
 * (what a program makes of their order would else change with the engine); null as nothing.
 */
export function asText(value: Value): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(sorted(value));
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, sorted(value[name] ?? null)]));
}

function kindOf(value: Value): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : "a map";
}

function checkType(key: string, value: Value, declaration: ConfigDeclaration, file: string): void {
  if (declaration.secret) {
    throw new EngineError(
      "CONFIG_INVALID",
      `${file}: ${key} must be encrypted. Set it again: k8sauth config set --secret ${key}`,
    );
  }
  const text = asText(value);
  const fits: Record<ConfigDeclaration["type"], () => boolean> = {
    string: () => typeof value !== "object" || value === null,
    boolean: () => text === "true" || text === "false",
    integer: () => /^-?\d+$/.test(text),
    array: () => Array.isArray(value),
    object: () => isObject(value),
  };
  if (!fits[declaration.type]()) {
    throw new EngineError(
      "CONFIG_INVALID",
      // A structured value in the wrong place may well be a kubeconfig, with everything that is secret in it.
      `${file}: ${key} must be of type ${declaration.type}, not ${typeof value === "object" ? kindOf(value) : text}.`,
    );
  }
}
