import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { stopSandbox } from "../../../sandbox/index.ts";
import { stackFolder } from "../../../sandbox/pulumi/home.ts";
import { program } from "../pulumi/stack.ts";

/** `k8sauth start` for a separate user: it shares no settings, state, sandbox or Pulumi home with other tests. */
export class Demonstration implements AsyncDisposable {
  readonly #home = mkdtempSync(join(tmpdir(), "k8sauth-start-"));
  readonly #folder = join(this.#home, "checkout");
  readonly #temporary = join(this.#home, "tmp");
  readonly env: NodeJS.ProcessEnv;

  constructor() {
    const { PULUMI_BACKEND_URL: _backend, ...inherited } = process.env;
    mkdirSync(this.#temporary);
    this.env = {
      ...inherited,
      XDG_STATE_HOME: join(this.#home, "state"),
      PULUMI_CONFIG_PASSPHRASE: "for tests",
      TMPDIR: this.#temporary,
    };
    mkdirLinked(program, this.#folder);
  }

  run(...args: string[]): Promise<{ readonly status: number; readonly output: string }> {
    const options = { cwd: this.#folder, env: this.env, maxBuffer: 1 << 24 };
    return new Promise((resolve) => {
      execFile(process.execPath, [join(program, "cli", "main.ts"), ...args], options, (error, stdout, stderr) => {
        resolve({ status: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
      });
    });
  }

  /** Kubeconfigs that Pulumi's Kubernetes plugin left among temporary files. */
  kubeconfigsLeft(): string[] {
    const isCopy = (path: string) => /^kubeconfig\d+$/.test(basename(path));
    // Below the sandbox, folders of running pods can disappear while they are read.
    const state = stackFolder(this.env);
    const kept = readdirSync(state, { withFileTypes: true }).filter(({ name }) => name !== "sandbox");
    const inState = kept.filter((entry) => entry.isDirectory()).map(({ name }) => join(state, name));
    const files = [this.#temporary, this.#folder, ...inState].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }),
    );
    return [...kept.map(({ name }) => name), ...files].filter(isCopy);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await stopSandbox("default", this.env);
    rmSync(this.#home, { recursive: true, force: true });
  }
}

/** Checks what the output of `k8sauth start` shows on every machine. */
export function expectProofs(output: string): void {
  for (const gateway of ["Akeyless, by the reviewer's token", "Akeyless, by the client certificate", "Vault,"])
    expect(output).toMatch(new RegExp(`ok {4}A workload logs in at ${gateway} .*k8sauth-demo/shop`));
  expect(output).toContain("200 system:serviceaccount:k8sauth-demo:shop");
  expect(output).toMatch(/is refused +401 .*another audience/);
  expect(output).toMatch(/is refused +403 /);
  expect(output).not.toMatch(/^ +FAIL/m);
  // No value of an output is shown, least of all tokens, base64 and PEM.
  expect(output).not.toMatch(/eyJhbGciOi|[A-Za-z0-9+]{60,}|-----BEGIN/);
}

/** Creates a folder with links to the content of another one, except the settings files of stacks: new ones are written to the new folder. */
function mkdirLinked(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (!/^Pulumi\..+\.yaml$/.test(name)) symlinkSync(join(from, name), join(to, name));
  }
}
