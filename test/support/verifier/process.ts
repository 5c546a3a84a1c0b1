import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hasEnded } from "../../../demo/childProcess.ts";
import { bundleVerifier, nodeFlags } from "../../../verifier/bundle/bundle.ts";
import { ask, type Reply, until } from "./verifier.ts";

/** The verifier as it is deployed: the bundle as a process, with Node.js's permission model. */
export class VerifierProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly output: string[];

  private constructor(child: ChildProcess, output: string[], port: number, adminPort: number) {
    this.child = child;
    this.output = output;
    this.port = port;
    this.adminPort = adminPort;
  }

  /** Starts it, and waits until it listens, with `ready` until it is ready. `wrap` returns a command line that runs the given one. */
  static async start(
    folder: string,
    settings: object,
    ready = true,
    wrap: (command: readonly string[]) => readonly string[] = (command) => command,
  ): Promise<VerifierProcess> {
    const program = mkdtempSync(join(tmpdir(), "verifier-bundle-"));
    const bundle = join(program, "verifier.mjs");
    const config = join(program, "config.json");
    writeFileSync(bundle, (await bundleVerifier()).code);
    writeFileSync(config, JSON.stringify({ listen: "127.0.0.1:0", adminListen: "127.0.0.1:0", ...settings }));
    const allowed = [program, folder].map((path) => `--allow-fs-read=${path}/`);
    const command = wrap([process.execPath, ...nodeFlags, ...allowed, bundle, "--config", config]);
    const child = spawn(command[0] ?? "", command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH },
    });
    const output: string[] = [];
    child.stderr?.on("data", (chunk) => output.push(String(chunk)));
    child.once("close", () => rmSync(program, { recursive: true, force: true }));
    const listening = await new Promise<{ port: number; adminPort: number }>((resolve, reject) => {
      if (!child.stdout) return;
      createInterface(child.stdout).on("line", (line) => {
        output.push(line);
        if (line.includes('"msg":"listening"')) resolve(JSON.parse(line));
      });
      child.once("close", (code) => reject(new Error(`the verifier ended with status ${code}:\n${output.join("\n")}`)));
    });
    const started = new VerifierProcess(child, output, listening.port, listening.adminPort);
    if (ready) await started.ready();
    return started;
  }

  async ready(limitMs = 10_000): Promise<void> {
    await until(async () => (await this.readiness()).status === 200, "the verifier is ready", limitMs);
  }

  readiness(): Promise<Reply> {
    return ask(this.adminPort, undefined, {}, "GET", "/readyz");
  }

  ask(token?: string, headers?: Record<string, string>): Promise<Reply> {
    return ask(this.port, token, headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (hasEnded(this.child)) return;
    const closed = once(this.child, "close");
    this.child.kill("SIGKILL");
    await closed;
  }
}
