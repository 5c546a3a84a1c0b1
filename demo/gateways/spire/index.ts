/** A test tool: SPIRE's own node attestor k8s_psat as a separate process, configured by the file of a SPIRE server. */
import { parse } from "node:path";
import { type BuildOptions, ensureProgram, type GoProgram } from "../../../sandbox/build/build.ts";
import { LineProcess } from "../lines.ts";

const program: GoProgram = {
  name: "spire-attestor",
  title: "SPIRE's node attestor",
  source: import.meta.dirname,
};

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

  /**
   * Starts the process. The program is built from Go modules on first use.
   *
   * @param serverConfig path of the configuration file of a SPIRE server. Paths in it are relative to its folder
   * @throws SandboxError
   */
  static async start(serverConfig: string, options: BuildOptions = {}): Promise<SpireAttestor> {
    const binary = await ensureProgram(program, options);
    const { dir, base } = parse(serverConfig);
    return new SpireAttestor(new LineProcess("SPIRE's node attestor", binary, [base], dir));
  }

  /** Attests an agent, by the payload that it sends with the projected token of its pod. */
  attest(cluster: string, token: string): Promise<SpireAnswer> {
    return this.#process.ask({ cluster, token });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
