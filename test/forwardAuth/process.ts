/** The process of a gateway, in the foreground and with its files in its own folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasEnded } from "../../demo/childProcess.ts";
import { ask, until } from "../support/verifier/verifier.ts";
import { host } from "./gateway.ts";

export interface GatewayLaunch {
  readonly name: string;
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Its configuration, by file name. */
  readonly files: Readonly<Record<string, string>>;
  /** Program and arguments, for a folder that has the files and is the working directory. */
  readonly command: (folder: string) => readonly string[];
}

export class GatewayProcess implements AsyncDisposable {
  readonly port: number;
  /** Its standard output and error so far. */
  readonly output: string[] = [];
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => this.output.push(String(chunk)));
  }

  /** Starts it, and waits until it has a route for the example's host. */
  static async start({ name, port, files, command }: GatewayLaunch): Promise<GatewayProcess> {
    const folder = mkdtempSync(join(tmpdir(), `${name}-`));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    const [program = "", ...args] = command(folder);
    const child = spawn(program, args, {
      cwd: folder,
      // Nothing of the machine's own configuration, and no proxy.
      env: { PATH: process.env.PATH, HOME: folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const started = new GatewayProcess(child, folder, port);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (error) => reject(new Error(`${name} cannot be started: ${error.message}`)));
      child.once("close", (code) =>
        reject(new Error(`${name} ended with status ${code}:\n${started.output.join("")}`)),
      );
    });
    failed.catch(() => {});
    try {
      await Promise.race([until(() => hasRoute(port), `${name} has its configuration`), failed]);
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid !== undefined && !hasEnded(this.#child)) {
      const closed = once(this.#child, "close");
      this.#child.kill("SIGTERM");
      await closed;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A gateway that has not read its routes yet refuses connections or answers 404. */
async function hasRoute(port: number): Promise<boolean> {
  try {
    return (await ask(port, undefined, { Host: host })).status !== 404;
  } catch {
    return false;
  }
}
