/** A test tool: Consul's own Kubernetes auth method as a process of its own. */
import { type BuildOptions, consulProgram, ensureProgram } from "../../build.ts";
import { LineProcess } from "../lines.ts";

export interface ConsulAnswer {
  /** What binding rules can use: `serviceaccount.name`, `serviceaccount.namespace`, `serviceaccount.uid`. */
  readonly vars?: Readonly<Record<string, string>>;
  readonly error?: string;
}

export class ConsulAuth implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Built from Go modules on first use, as the sandbox is. @throws SandboxError */
  static async start(options: BuildOptions = {}): Promise<ConsulAuth> {
    return new ConsulAuth(new LineProcess("Consul's auth method", await ensureProgram(consulProgram, options)));
  }

  /** `consul acl auth-method create -type kubernetes -config CONFIG`. */
  configure(config: object): Promise<ConsulAnswer> {
    return this.#process.ask({ config });
  }

  /** `consul login`. */
  login(jwt: string): Promise<ConsulAnswer> {
    return this.#process.ask({ login: jwt });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}
