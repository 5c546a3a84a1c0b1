import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { EngineError } from "./errors.ts";
import type { Project } from "./project.ts";
import type { ProgramConfig } from "./settings.ts";

export interface ProgramOptions {
  readonly project: Project;
  readonly stack: string;
  readonly config: ProgramConfig;
  readonly monitorAddress: string;
  readonly engineAddress: string;
  readonly preview: boolean;
  readonly parallel: number;
  readonly env: NodeJS.ProcessEnv;
  /** A line that the program printed. */
  readonly print: (line: string) => void;
}

export interface Program {
  /** How it ended: undefined for well, else why not. */
  readonly ended: Promise<string | undefined>;
  kill(): void;
}

/** Exit status by which the SDK's runner says that the user has been told what went wrong. */
const alreadyReported = 32;

/**
 * Runs the project's program as Pulumi's language host does: a Node.js process with the SDK's own runner, told on its
 * command line where monitor and engine are, and in its environment what is configured.
 */
export function runProgram(options: ProgramOptions): Program {
  const { project, stack, config } = options;
  const args = [
    runnerOf(project),
    "--monitor", options.monitorAddress,
    "--engine", options.engineAddress,
    "--organization", "organization",
    "--project", project.name,
    "--root-directory", project.root,
    "--stack", stack,
    "--pwd", project.root,
    ...(options.preview ? ["--dry-run"] : []),
    "--parallel", String(options.parallel),
    project.main,
  ]; // biome-ignore format: pairs read better
  const child = spawn(process.execPath, args, {
    cwd: project.root,
    env: {
      ...options.env,
      PULUMI_NODEJS_TYPESCRIPT: String(project.typescript),
      PULUMI_CONFIG: JSON.stringify(config.values),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(config.secretKeys),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", options.print);
  return { ended: endOf(child), kill: () => child.kill("SIGKILL") };
}

function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`The program could not be started: ${error.message}`));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else if (code === alreadyReported) resolve("The program failed.");
      else resolve(`The program ended unexpectedly (${signal ?? `exit status ${code}`}).`);
    });
  });
}

function runnerOf(project: Project): string {
  try {
    return createRequire(join(project.root, "index.js")).resolve("@pulumi/pulumi/cmd/run/index.js");
  } catch {
    throw new EngineError(
      "PROGRAM_FAILED",
      `@pulumi/pulumi is not installed in ${project.root}. Run \`npm ci\` there.`,
    );
  }
}
