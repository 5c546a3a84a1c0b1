import { existsSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Pulumi } from "../sandbox/pulumi/index.ts";
import { readPulumi } from "./pulumi.ts";

/** The folder in which k8sauth is installed. */
const productFolder = fileURLToPath(new URL("..", import.meta.url));

/** Outputs of a stack, secrets in the clear. */
export type Outputs = Readonly<Record<string, unknown>>;

/** The fields of a resource in a stack's state that the checks read. */
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

/** A stack of a Pulumi project. Each method runs the Pulumi CLI. @throws Error with standard error of the CLI */
export class Stack {
  readonly #pulumi: Pulumi;
  readonly #name: string | undefined;
  readonly #folder: string;

  /**
   * @param name undefined for the selected stack
   * @param folder folder of Pulumi.yaml
   */
  constructor(pulumi: Pulumi, name: string | undefined, folder: string) {
    this.#pulumi = pulumi;
    this.#name = name;
    this.#folder = folder;
  }

  /** Runs a command of the CLI on the stack and returns its standard output. */
  async run(args: readonly string[], input?: string): Promise<string> {
    const flags = ["--cwd", this.#folder, ...(this.#name === undefined ? [] : ["--stack", this.#name])];
    try {
      return await readPulumi(this.#pulumi, [...args, ...flags], input === undefined ? {} : { input });
    } catch (error) {
      if (!(error instanceof Error) || !/no stack named .* found/.test(error.message)) throw error;
      throw new Error(`${error.message}. ${await this.#otherStacks()}`);
    }
  }

  async #otherStacks(): Promise<string> {
    const listed = await readPulumi(this.#pulumi, ["stack", "ls", "--json", "--cwd", this.#folder]);
    const names = (JSON.parse(listed) as { readonly name: string }[]).map(({ name }) => name);
    return names.length === 0
      ? "This backend has no stack of the project"
      : `Stacks of the project: ${names.join(", ")}`;
  }

  async outputs(): Promise<Outputs> {
    return JSON.parse(await this.run(["stack", "output", "--json", "--show-secrets"])) as Outputs;
  }

  /** The state, with encrypted secrets. */
  async export(): Promise<ExportedStack> {
    return JSON.parse(await this.run(["stack", "export"])) as ExportedStack;
  }

  /** The settings by name, without the project's prefix and with decrypted secrets. */
  async settings(): Promise<Readonly<Record<string, string>>> {
    const config = JSON.parse(await this.run(["config", "--json", "--show-secrets"])) as Record<
      string,
      { readonly value?: string }
    >;
    return Object.fromEntries(Object.entries(config).map(([key, { value = "" }]) => [key.replace(/^.*?:/, ""), value]));
  }
}

/** The folder of Pulumi.yaml: the given one, else the current one or the nearest one above it, else that of k8sauth. */
export function projectFolder(given: string | undefined): string {
  if (given !== undefined) return resolve(given);
  for (let at = process.cwd(); ; at = dirname(at)) {
    if (existsSync(join(at, "Pulumi.yaml"))) return at;
    if (at === dirname(at)) return productFolder;
  }
}

/**
 * The folder of k8sauth's own project, with the settings files of its stacks. It is the current folder if its Pulumi.yaml is that of k8sauth
 * or a symbolic link to it. Otherwise it is the folder in which k8sauth is installed.
 */
export function ownProjectFolder(current: string = process.cwd()): string {
  const file = join(current, "Pulumi.yaml");
  const isOwn = existsSync(file) && realpathSync(file) === realpathSync(join(productFolder, "Pulumi.yaml"));
  return isOwn ? current : resolve(productFolder);
}
