import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Pulumi } from "../sandbox/pulumi/index.ts";
import { readPulumi } from "./pulumi.ts";

/** The folder this product is installed in. */
const productFolder = fileURLToPath(new URL("..", import.meta.url));

/** Outputs of a stack, secrets in the clear. */
export type Outputs = Readonly<Record<string, unknown>>;

/** A resource in a stack's state, as far as it matters here. */
export interface ResourceState {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: {
    readonly kind?: string;
    readonly metadata?: { readonly labels?: Readonly<Record<string, unknown>> };
  };
}

/** Output of `pulumi stack export`. */
export interface ExportedStack {
  readonly deployment: {
    readonly resources?: readonly ResourceState[] | null;
    readonly pending_operations?: readonly { readonly resource: ResourceState; readonly type: string }[] | null;
  };
}

/** A stack that the Pulumi CLI keeps. */
export class Stack {
  readonly #pulumi: Pulumi;
  readonly #flags: readonly string[];

  /** @param folder that of Pulumi.yaml */
  constructor(pulumi: Pulumi, name: string | undefined, folder: string) {
    this.#pulumi = pulumi;
    this.#flags = ["--cwd", folder, ...(name === undefined ? [] : ["--stack", name])];
  }

  /** Runs a command of the CLI on the stack and returns its standard output. */
  run(args: readonly string[], input?: string): Promise<string> {
    return readPulumi(this.#pulumi, [...args, ...this.#flags], input === undefined ? {} : { input });
  }

  async outputs(): Promise<Outputs> {
    return JSON.parse(await this.run(["stack", "output", "--json", "--show-secrets"])) as Outputs;
  }

  /** The state, its secrets encrypted. */
  async export(): Promise<ExportedStack> {
    return JSON.parse(await this.run(["stack", "export"])) as ExportedStack;
  }

  /** The settings of the program, in the clear, by their names without the project's. */
  async settings(): Promise<Readonly<Record<string, string>>> {
    const config = JSON.parse(await this.run(["config", "--json", "--show-secrets"])) as Record<
      string,
      { readonly value?: string }
    >;
    return Object.fromEntries(Object.entries(config).map(([key, { value = "" }]) => [key.replace(/^.*?:/, ""), value]));
  }
}

/** The folder of Pulumi.yaml: the given one, else the current one or one above it, else this product's own. */
export function projectFolder(given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  for (let at = process.cwd(); ; at = dirname(at)) {
    if (existsSync(join(at, "Pulumi.yaml"))) return at;
    if (at === dirname(at)) return productFolder;
  }
}

/**
 * The folder in which this product's own project runs and its settings files lie: the current one if its Pulumi.yaml is this
 * product's, by a symbolic link too, else the one this product is installed in.
 */
export function ownProjectFolder(current: string = process.cwd()): string {
  const file = join(current, "Pulumi.yaml");
  const isOwn = existsSync(file) && realpathSync(file) === realpathSync(join(productFolder, "Pulumi.yaml"));
  return isOwn ? current : resolve(productFolder);
}
