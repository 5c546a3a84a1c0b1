/** A test tool: Vault's own Kubernetes auth method as a separate process, with its storage in memory. */
import { type BuildOptions, ensureProgram, type GoProgram } from "../../../sandbox/build/build.ts";
import { LineProcess } from "../lines.ts";

const program: GoProgram = {
  name: "vault-auth",
  title: "Vault's auth method",
  source: import.meta.dirname,
};

/** The fields of Vault's answer that tests read. */
export interface VaultAnswer {
  readonly data?: Readonly<Record<string, unknown>>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly policies?: readonly string[];
  readonly warnings?: readonly string[];
  /** Message of an answer for which Vault would send a status of 400 or above. */
  readonly error?: string;
}

/** One mount of the auth method, empty at first. */
export class VaultAuth implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Starts the process. The program is built from Go modules on first use. @throws SandboxError */
  static async start(options: BuildOptions = {}): Promise<VaultAuth> {
    return new VaultAuth(new LineProcess("Vault's auth method", await ensureProgram(program, options)));
  }

  /** `vault write auth/kubernetes/PATH`. */
  write(path: string, data: object): Promise<VaultAnswer> {
    return this.#process.ask({ operation: path.startsWith("role/") ? "create" : "update", path, data });
  }

  /** `vault read auth/kubernetes/PATH`. */
  read(path: string): Promise<VaultAnswer> {
    return this.#process.ask({ operation: "read", path });
  }

  login(role: string, jwt: string): Promise<VaultAnswer> {
    return this.write("login", { role, jwt });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
