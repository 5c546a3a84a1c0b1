import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { delimiter, dirname, join, sep } from "node:path";
import { SandboxError } from "../build/errors.ts";
import { homesFolder } from "./home.ts";

/**
 * The oldest supported CLI. Older ones lack `refresh --run-program` and parts of the protocol of `@pulumi/pulumi` 3.270.
 */
export const oldestVersion = "3.260.0";

/** Installation hint in messages. */
export const installHint = `Install Pulumi ${oldestVersion} or later (https://www.pulumi.com/docs/install/)`;

export interface CommandResult {
  readonly status: number;
  readonly output: string;
}

/** Exit status of a command that cannot be started, as in shells. */
const notStarted = 127;

/** Runs a command of the CLI and returns its output on both streams. If it cannot be started, the status is 127. */
export function runPulumi(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], signal, killSignal: "SIGINT" });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", (error) => {
      if (error.name === "AbortError") reject(error);
      else resolve({ status: notStarted, output: error.message });
    });
    child.on("close", (code) => resolve({ status: code ?? 1, output }));
  });
}

/** Path of `pulumi` on the PATH. Skips links of `linkCommand`, which point to the built CLI. */
export function findPulumi(env: NodeJS.ProcessEnv): string | undefined {
  const built = join(homesFolder(env), sep);
  return findCommands("pulumi", env).find((path) => !path.startsWith(built));
}

/** Version of a CLI, without its `v`. @throws SandboxError PULUMI_UNUSABLE, PULUMI_TOO_OLD, PULUMI_NO_NODE_HOST */
export async function checkInstalled(command: string, env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<string> {
  const { status, output } = await runPulumi(command, ["version"], env, signal);
  const version = /^v?(\d+\.\d+\.\d+)\S*$/m.exec(output)?.[1];
  if (status !== 0 || version === undefined) {
    throw new SandboxError(
      "PULUMI_UNUSABLE",
      `\`${command} version\` failed (exit status ${status}): ${output.trim().slice(0, 500)}. Repair that installation, or set K8SAUTH_PULUMI=build to build the CLI from Go modules.`,
    );
  }
  if (isOlder(version, oldestVersion)) {
    throw new SandboxError(
      "PULUMI_TOO_OLD",
      `${command} is Pulumi ${version}, and ${oldestVersion} is the oldest that works. Upgrade it, or set K8SAUTH_PULUMI=build to build a newer one from Go modules.`,
    );
  }
  const host = "pulumi-language-nodejs";
  // The CLI looks in the folder of its real path.
  if (!existsSync(join(dirname(realpathSync(command)), host)) && findCommands(host, env).length === 0) {
    throw new SandboxError(
      "PULUMI_NO_NODE_HOST",
      `${command} has no ${host} beside it or on the PATH. Pulumi runs programs in TypeScript with it. Install all of Pulumi (https://www.pulumi.com/docs/install/), or set K8SAUTH_PULUMI=build to build the CLI from Go modules.`,
    );
  }
  return version;
}

function findCommands(name: string, env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .filter(isExecutable);
}

/** Whether a path is an executable file, or a link to one. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  for (let part = 0; part < 3; part++) {
    const difference = (a?.[part] ?? 0) - (b?.[part] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
