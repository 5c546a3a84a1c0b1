/** A test tool: SPIRE's own node attestor k8s_psat as a process of its own, configured by the file of a SPIRE server. */
import { parse } from "node:path";
import { type BuildOptions, ensureProgram, spireProgram } from "../../build.ts";
import { LineProcess } from "../lines.ts";

export interface SpireAnswer {
  /** The agent's identity. */
  readonly spiffeId?: string;
  readonly selectors?: readonly string[];
  readonly error?: string;
}

export class SpireAttestor implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** In the file's folder, where paths in it begin. Built from Go modules on first use, as the sandbox is. @throws SandboxError */
  static async start(serverConfig: string, options: BuildOptions = {}): Promise<SpireAttestor> {
    const binary = await ensureProgram(spireProgram, options);
    const { dir, base } = parse(serverConfig);
    return new SpireAttestor(new LineProcess("SPIRE's node attestor", binary, [base], dir));
  }

  /** What an agent sends with the projected token of its pod. */
  attest(cluster: string, token: string): Promise<SpireAnswer> {
    return this.#process.ask({ cluster, token });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
