import { spawn } from "node:child_process";
import { once } from "node:events";

/** A Node.js process that runs a module given as text. */
export function spawnNode(source: string, env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let output = "";
  child.stdout.setEncoding("utf8");
  return {
    child,
    /** Resolves once the process has ended. */
    closed,
    /** Resolves with the first line that matches. */
    async line(pattern: RegExp): Promise<string> {
      for (;;) {
        const found = output.split("\n").find((line) => pattern.test(line));
        if (found !== undefined) return found;
        const [text] = (await Promise.race([once(child.stdout, "data"), closed])) as [unknown];
        if (typeof text !== "string") throw new Error(`ended without a line ${pattern}: ${output}`);
        output += text;
      }
    },
    /** Sends SIGKILL, and waits until the process has ended. */
    async kill(): Promise<void> {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
