/** `pulumi up` as a step of the demonstration. */
import type { Pulumi } from "../../sandbox/pulumi/index.ts";
import type { Io } from "../command.ts";
import { runPulumi } from "../pulumi.ts";
import { duration } from "../steps.ts";

export interface UpOptions {
  readonly pulumi: Pulumi;
  readonly stack: string;
  /** The folder of Pulumi.yaml. */
  readonly folder: string;
  /** Shows all of Pulumi's output where there is no terminal. */
  readonly verbose: boolean;
}

/** Time between two lines of progress. */
const intervalMs = 3_500;

/**
 * Runs `pulumi up`. Pulumi shows its own progress on a terminal. Without a terminal, a line of progress appears every few seconds, and
 * Pulumi's whole output after a failure. With `verbose`, Pulumi's whole output appears instead.
 *
 * @throws Error if Pulumi fails
 */
export async function up({ pulumi, stack, folder, verbose }: UpOptions, io: Io): Promise<void> {
  const args = ["up", "--stack", stack, "--cwd", folder, "--yes", "--skip-preview", "--suppress-outputs"];
  const status = io.terminal
    ? await runPulumi(pulumi, args, io)
    : await withoutTerminal(pulumi, [...args, "--color", "never"], verbose, io);
  if (status !== 0)
    throw new Error(`\`pulumi up\` ended with exit status ${status}. Run the command again to continue.`);
}

async function withoutTerminal(pulumi: Pulumi, args: readonly string[], verbose: boolean, io: Io): Promise<number> {
  if (verbose) return runPulumi(pulumi, args, io, io.out);
  const quiet = [...args, "--suppress-progress"];
  const output = new QuietOutput();
  const timer = setInterval(() => io.err(`${output.progress()}\n`), intervalMs);
  const status = await runPulumi(pulumi, quiet, io, (text) => output.add(text)).finally(() => clearInterval(timer));
  if (status !== 0) io.err(output.text);
  return status;
}

/** Collects Pulumi's output, and counts the resources that it reports as changed. */
export class QuietOutput {
  #text = "";
  readonly #now: () => number;
  readonly #start: number;

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#start = now();
  }

  get text(): string {
    return this.#text;
  }

  add(text: string): void {
    this.#text += text;
  }

  progress(): string {
    // A finished resource has a line such as " +  tls:index:PrivateKey key created (0.21s)", and another one with each diagnostic.
    const rows = this.#text.matchAll(/^ *[+~-]{1,2} +(\S+ +\S+) +.*\b(?:created|updated|deleted|replaced)\b/gm);
    const finished = new Set(Array.from(rows, ([, resource]) => resource));
    return `pulumi up: ${finished.size} resources changed, ${duration(this.#now() - this.#start)}`;
  }
}
