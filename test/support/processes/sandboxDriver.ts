import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";

const api = fileURLToPath(new URL("../../../sandbox/index.ts", import.meta.url));

/**
 * Starts a separate process that runs the code with `startSandbox`. `line` waits for a line of its output.
 *
 * @param soon how long to wait for a line, and the time between two looks, in milliseconds
 */
export function driver(
  code: string,
  env: NodeJS.ProcessEnv,
  soon: { readonly timeout: number; readonly interval: number },
): { child: ChildProcess; line: (pattern: RegExp) => Promise<string> } {
  const source = `import { startSandbox } from ${JSON.stringify(api)};\n${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on("line", (text) => lines.push(text));
  const line = (pattern: RegExp) =>
    vi.waitFor(() => lines.find((text) => pattern.test(text)) ?? expect.fail(`no line ${pattern}`), soon);
  return { child, line };
}
