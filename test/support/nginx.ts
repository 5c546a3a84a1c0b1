import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../unit/verifier/support.ts";

/** Whether there is none here: for `describe.skipIf`. */
export const noNginx = spawnSync("nginx", ["-v"]).error !== undefined;

export interface NginxFiles {
  /** The configuration, which is used as it is. */
  readonly config: string;
  /** What it includes, by name. */
  readonly includes: Readonly<Record<string, string>>;
  readonly port: number;
}

/** Debian's NGINX with a configuration from a file, in the foreground and with its files in a folder of its own. */
export class Nginx implements AsyncDisposable {
  readonly port: number;
  /** What it wrote to its error log. */
  readonly output: string[];
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
    this.output = [];
    child.stderr?.on("data", (chunk) => this.output.push(String(chunk)));
  }

  /** Starts it and waits until it listens. */
  static async start({ config, includes, port }: NginxFiles): Promise<Nginx> {
    const folder = mkdtempSync(join(tmpdir(), "nginx-"));
    const conf = join(folder, "nginx.conf");
    copyFileSync(config, conf);
    for (const [name, text] of Object.entries(includes)) writeFileSync(join(folder, name), text);
    // What Debian compiled in would be shared with an NGINX of the machine.
    const own = `daemon off; pid ${join(folder, "nginx.pid")};`;
    const child = spawn("nginx", ["-c", conf, "-p", folder, "-e", "stderr", "-g", own], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    const nginx = new Nginx(child, folder, port);
    const failed = new Promise<never>((_, reject) => {
      child.once("error", (error) => reject(new Error(`nginx cannot be started (${error.message}): install it`)));
      child.once("close", (code) => reject(new Error(`nginx ended with status ${code}:\n${nginx.output.join("")}`)));
    });
    failed.catch(() => {});
    try {
      await Promise.race([until(() => accepts(port), "nginx listens"), failed]);
    } catch (error) {
      await nginx[Symbol.asyncDispose]();
      throw error;
    }
    return nginx;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = once(this.#child, "close");
      this.#child.kill("SIGTERM");
      await closed;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
