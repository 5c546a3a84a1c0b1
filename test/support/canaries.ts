/** Secrets of a test, and a search for them in everything that the test sees of its runs. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { environmentOf } from "./pulumi/pulumiProcess.ts";
import type { TestStack } from "./pulumi/stack.ts";

/** Time between two reads of a run's processes, in milliseconds. */
const watchMs = 50;

export class Canaries {
  /** The texts to search for, by name. */
  readonly #hidden = new Map<string, string>();
  /** The texts to search in, by place. */
  readonly #seen = new Map<string, string>();

  get count(): number {
    return this.#hidden.size;
  }

  /** Adds a secret to search for: its full text, and the parts and encodings that would reveal it. */
  hide(what: string, secret: string): void {
    const lines = secret.split("\n").filter((line) => line.length > 40 && !line.startsWith("-----"));
    const [, claims, signature] = /^[\w-]+\.([\w-]+)\.([\w-]+)$/.exec(secret) ?? [];
    const forms: Readonly<Record<string, string | undefined>> = {
      [what]: secret.includes("\n") ? undefined : secret,
      [`${what} in base64`]: Buffer.from(secret).toString("base64").slice(0, 200).replace(/=+$/, ""),
      [`${what} in a URL`]: secret.includes("\n") ? undefined : encodeURIComponent(secret),
      [`the claims of ${what}`]: claims,
      [`the signature of ${what}`]: signature,
    };
    for (const [name, form] of Object.entries(forms)) if (form) this.#hidden.set(name, form);
    for (const [index, line] of lines.entries()) this.#hidden.set(`line ${index} of ${what}`, line);
  }

  /** Adds a text to search in. */
  see(where: string, text: string): void {
    this.#seen.set(`${where} (${this.#seen.size})`, text);
  }

  /** Runs a command of Pulumi's CLI. Adds its output, and the command lines and environments of its processes, to the texts to search in. */
  async run(stack: TestStack, ...args: readonly string[]): Promise<number | null> {
    const process = stack.spawn(args);
    const commandLines = new Set<string>();
    const variables = new Set<string>();
    const watch = setInterval(() => {
      for (const { pid, commandLine } of process.processes()) {
        commandLines.add(commandLine);
        // Pulumi passes the settings of a run, secrets included, to its program and plugins in this variable.
        for (const variable of environmentOf(pid).split("\0")) {
          if (!variable.startsWith("PULUMI_CONFIG=")) variables.add(variable);
        }
      }
    }, watchMs);
    const status = await process.end();
    clearInterval(watch);
    const name = args.join(" ");
    this.see(`output of ${name}`, process.output);
    this.see(`command lines during ${name}`, [...commandLines].join("\n"));
    const given = new Set(Object.entries(stack.env).map(([key, value]) => `${key}=${value}`));
    this.see(`environments during ${name}`, [...variables].filter((variable) => !given.has(variable)).join("\n"));
    return status;
  }

  /** Adds the files of a stack: settings, state with its history and backups, event logs. */
  async seeFiles(when: string, { folder }: TestStack): Promise<void> {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name);
      // Pulumi's Kubernetes plugin leaves kubeconfigs in the folder for temporary files (docs/kubeconfig.md).
      if (!entry.isFile() || file.startsWith(join(folder, "tmp"))) continue;
      this.see(`${file} ${when}`, await readFile(file, "utf8"));
    }
  }

  /** Secrets that were found, and their places. */
  get shown(): string[] {
    return [...this.#seen].flatMap(([where, text]) => this.within(text).map((what) => `${what} in ${where}`));
  }

  /** Secrets that a text contains. */
  within(text: string): string[] {
    return [...this.#hidden].filter(([, secret]) => text.includes(secret)).map(([what]) => what);
  }

  /** Whether a text of a matching place matches a pattern. */
  saw(pattern: RegExp, where: RegExp): boolean {
    return [...this.#seen].some(([place, text]) => where.test(place) && pattern.test(text));
  }

  /** Length of the longest text of the matching places. */
  length(where: RegExp): number {
    return Math.max(0, ...[...this.#seen].filter(([place]) => where.test(place)).map(([, text]) => text.length));
  }
}
