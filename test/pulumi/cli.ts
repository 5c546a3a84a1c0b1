import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { expect } from "vitest";
import type { Properties } from "../../engine/index.ts";
import { program, type TestStack } from "../support/stack.ts";

/** How a command of the Pulumi CLI ended, and what it printed. */
export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the CLI did or would do: `operation Type` for everything that is not kept as it is, sorted. */
export interface CliOperations {
  readonly steps: string[];
  /** Warnings and errors, as shown. */
  readonly diagnostics: string[];
}

/** No command may take longer, in milliseconds. */
const deadline = 90_000;

/** The exit status of the CLI for "changes, but none were expected". */
export const unexpectedChanges = 7;

/** The real Pulumi CLI on a test stack: the same state folder, settings file and passphrase as the embedded engine. */
export class Cli {
  readonly #stack: TestStack;
  readonly #folder: string;

  constructor(stack: TestStack, folder = program) {
    this.#stack = stack;
    this.#folder = folder;
  }

  /** `pulumi stack init`. It writes the salt beside Pulumi.yaml: a copy of that lies beside the test's settings file. */
  async init(): Promise<void> {
    const { folder, name } = this.#stack;
    await mkdir(join(folder, "state"), { recursive: true });
    await copyFile(join(this.#folder, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    await this.run(["stack", "init", name, "--no-select"], { folder });
  }

  /** Fails the test where the CLI sees anything to change. */
  async previewNothing(): Promise<void> {
    const result = await this.#stackCommand("preview", ["--expect-no-changes", "--diff"], undefined);
    if (result.status !== 0) expect.fail(`The CLI sees changes (exit status ${result.status}).\n${result.stdout}`);
  }

  async preview(): Promise<CliOperations & { readonly json: string }> {
    const { stdout } = await this.#stackCommand("preview", ["--json"]);
    const { steps, diagnostics = [] } = JSON.parse(stdout) as {
      steps: { op: string; urn: string }[];
      diagnostics?: { message: string; severity: string }[];
    };
    return {
      steps: operations(steps),
      diagnostics: diagnostics.filter(isShown).map(({ message }) => message.trim()),
      json: stdout,
    };
  }

  /** `pulumi config set --secret`; the settings that the stack's tests change take the file over again. */
  async setSecret(key: string, value: string): Promise<void> {
    const child = this.start(["config", "set", "--secret", ...this.options, `k8sauth:${key}`]);
    child.stdin?.end(value);
    await ended(child, ["config", "set", "--secret", key], 0);
  }

  up(): Promise<CliOperations> {
    return this.#change("up");
  }

  refresh(): Promise<CliOperations> {
    return this.#change("refresh");
  }

  destroy(): Promise<CliOperations> {
    return this.#change("destroy");
  }

  /** `pulumi cancel`: takes away the lock that a killed run left. */
  async cancel(): Promise<void> {
    await this.run(["cancel", "--yes", "--stack", this.#stack.name]);
  }

  async outputs(): Promise<Properties> {
    const { stdout } = await this.run(["stack", "output", "--stack", this.#stack.name, "--json", "--show-secrets"]);
    return JSON.parse(stdout) as Properties;
  }

  /** Runs a command; by default it must succeed. */
  async run(args: readonly string[], options: { folder?: string; status?: number } = {}): Promise<CliResult> {
    const child = this.start(args, options.folder);
    child.stdin?.end();
    return ended(child, args, "status" in options ? options.status : 0);
  }

  /** Starts a command that changes the stack, to be ended in the middle. */
  startChange(command: "up" | "refresh" | "destroy"): ChildProcess {
    return this.start([command, ...this.options, "--yes", "--skip-preview"]);
  }

  start(args: readonly string[], folder = this.#folder): ChildProcess {
    const path = [join(program, "node_modules", ".bin"), process.env.PATH].join(delimiter);
    const env = {
      ...this.#stack.env,
      PATH: path,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    };
    return spawn("pulumi", ["--non-interactive", "--color", "never", "--cwd", folder, ...args], {
      env,
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** What a command needs to know to work on this stack. */
  get options(): string[] {
    return ["--stack", this.#stack.name, "--config-file", this.#stack.configFile];
  }

  #stackCommand(command: string, args: readonly string[], status: number | undefined = 0): Promise<CliResult> {
    return this.run([command, ...this.options, ...args], { status });
  }

  async #change(command: "up" | "refresh" | "destroy"): Promise<CliOperations> {
    const { stdout } = await this.#stackCommand(command, ["--yes", "--skip-preview", "--json"]);
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line) as CliEvent); // biome-ignore format: one line
    const done = events.flatMap(({ resOutputsEvent: event }) => (event ? [event.metadata] : []));
    const shown = events.flatMap(({ diagnosticEvent: event }) => (event && isShown(event) ? [event] : []));
    return { steps: operations(done), diagnostics: shown.map(({ message }) => message.trim()) };
  }
}

interface CliEvent {
  readonly resOutputsEvent?: { readonly metadata: { readonly op: string; readonly urn: string } };
  readonly diagnosticEvent?: { readonly severity: string; readonly message: string };
}

function isShown({ severity }: { readonly severity: string }): boolean {
  return severity === "warning" || severity === "error";
}

/** The halves of a replacement count as one; what stays the same, and default providers, which the CLI hides, as nothing. */
export function operations(steps: readonly { readonly op: string; readonly urn: string }[]): string[] {
  const silent = ["create-replacement", "delete-replaced", "same", "refresh", "remove-pending-replace"];
  return steps
    .filter(({ op, urn }) => !silent.includes(op) && !/::pulumi:providers:\w+::default(_[\d_]+)?$/.test(urn))
    .map(({ op, urn }) => `${op} ${urn.split("::")[2]?.split(":").at(-1)}`)
    .sort();
}

async function ended(child: ChildProcess, args: readonly string[], status: number | undefined): Promise<CliResult> {
  const timer = setTimeout(() => child.kill("SIGKILL"), deadline);
  const read = async (stream: NodeJS.ReadableStream | null) => {
    let text = "";
    for await (const chunk of stream ?? []) text += chunk;
    return text;
  };
  try {
    const closing = once(child, "close");
    const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
    await closing;
    const result = { status: child.exitCode, stdout, stderr };
    if (status !== undefined && result.status !== status) {
      const text = `${stdout.slice(-4_000)}\n${stderr.slice(-4_000)}`;
      throw new Error(`pulumi ${args.join(" ")}: exit status ${result.status}, expected ${status}\n${text}`);
    }
    return result;
  } finally {
    clearTimeout(timer);
  }
}
