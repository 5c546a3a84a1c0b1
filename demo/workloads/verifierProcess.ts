import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { bundleVerifier, nodeFlags } from "../../verifier/bundle/bundle.ts";
import { hasEnded } from "../childProcess.ts";

/** The verifier's access to the API server. */
export interface ApiAccess {
  readonly host: string;
  readonly caPem: string;
  readonly token: string;
}

/** The verifier's bundle as a process of this machine. */
export class VerifierProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Writes the files of the verifier to `folder`, starts it and waits until it is ready. @throws Error if it does not become ready within 15 s */
  static async start(folder: string, { host, caPem, token }: ApiAccess, settings: object): Promise<VerifierProcess> {
    const file = async (name: string, text: string) => {
      const path = join(folder, name);
      await writeFile(path, text, { mode: 0o600 });
      return path;
    };
    const bundle = await file("verifier.mjs", (await bundleVerifier()).code);
    const config = await file(
      "config.json",
      JSON.stringify({
        ...settings,
        listen: "127.0.0.1:0",
        adminListen: "127.0.0.1:0",
        apiServer: host,
        apiCaFile: await file("ca.crt", caPem),
        apiTokenFile: await file("api-token", token),
      }),
    );
    const args = [...nodeFlags, `--allow-fs-read=${folder}/`, bundle, "--config", config];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"], env: {} });
    const { port, adminPort } = await listening(child);
    const started = new VerifierProcess(child, `http://127.0.0.1:${port}`);
    const deadline = performance.now() + 15_000;
    while (!(await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok) {
      if (performance.now() > deadline) {
        await started[Symbol.asyncDispose]();
        throw new Error("The verifier was not ready within 15 s.");
      }
      await sleep(50);
    }
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (hasEnded(this.#child)) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

function listening(child: ChildProcess): Promise<{ port: number; adminPort: number }> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (status) => reject(new Error(`The verifier ended with status ${status} before it listened.`)));
    if (!child.stdout) return;
    createInterface(child.stdout).on("line", (line) => {
      if (line.includes('"msg":"listening"')) resolve(JSON.parse(line) as { port: number; adminPort: number });
    });
  });
}
