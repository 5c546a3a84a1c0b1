import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { program } from "../project.ts";

/**
 * Runs commands as a shell runs them for a reader, until one fails. Returns standard output.
 *
 * @throws Error with what they printed
 */
export async function runShell(commands: string, options: { cwd: string; env: NodeJS.ProcessEnv }): Promise<string> {
  const child = spawn("bash", ["-euo", "pipefail", "-c", commands], options);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  child.stdin.end();
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`status ${status}: ${err}${out}`);
  return out;
}

/** Writes commands into a folder for the PATH. Each has a name and a line of shell script. */
export async function writeCommands(folder: string, scripts: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
}

/** A line of shell script that starts the replacement of a product's CLI. */
export function productCommand(product: "vault" | "bao" | "consul"): string {
  const tool = join(program, "test", "support", "gateways", "productCli.ts");
  return `exec "${process.execPath}" "${tool}" ${product} "$@"`;
}
