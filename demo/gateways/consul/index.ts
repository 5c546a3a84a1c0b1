/** A test tool: Consul's own Kubernetes auth method as a separate process. */
import { type BuildOptions, ensureProgram, type GoProgram } from "../../../sandbox/build/build.ts";
import { LineProcess } from "../lines.ts";

const program: GoProgram = {
  name: "consul-auth",
  title: "Consul's auth method",
  source: import.meta.dirname,
};

export interface ConsulAnswer {
  /** Variables of binding rules: `serviceaccount.name`, `serviceaccount.namespace`, `serviceaccount.uid`. */
  readonly vars?: Readonly<Record<string, string>>;
  readonly error?: string;
}

export class ConsulAuth implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Starts the process. The program is built from Go modules on first use. @throws SandboxError */
  static async start(options: BuildOptions = {}): Promise<ConsulAuth> {
    return new ConsulAuth(new LineProcess("Consul's auth method", await ensureProgram(program, options)));
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
