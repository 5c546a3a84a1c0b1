import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeClient } from "../../kubernetes/index.ts";
import { workloadToken } from "../../kubernetes/reviews.ts";
import { bundleClient } from "../../verifier/bundle/bundle.ts";
import {
  accounts,
  audiences,
  type Call,
  type CallResult,
  callResult,
  calls,
  clientArgs,
  deleteNamespace,
  demoNamespace,
  type WorkloadOutputs,
  type Workloads,
} from "./scenario.ts";
import { VerifierProcess } from "./verifierProcess.ts";

/** Processes of this machine that run the same bundles as pods, with tokens from TokenRequests. */
export class Processes implements Workloads {
  readonly #deployer: KubeClient;
  readonly #verifier: VerifierProcess;
  readonly #folder: string;
  readonly #audience: string;

  private constructor(deployer: KubeClient, verifier: VerifierProcess, folder: string, audience: string) {
    this.#deployer = deployer;
    this.#verifier = verifier;
    this.#folder = folder;
    this.#audience = audience;
  }

  static async create({ access }: WorkloadOutputs, deployer: KubeClient): Promise<Processes> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-start-"));
    try {
      await writeFile(join(folder, "client.mjs"), (await bundleClient()).code);
      const verifier = await VerifierProcess.start(folder, access, {
        audience: [audiences.own],
        allow: [`${demoNamespace}/${accounts.caller}`],
      });
      return new Processes(deployer, verifier, folder, access.audience);
    } catch (error) {
      // The files contain the reviewer's token.
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  gatewayToken(): Promise<string> {
    return workloadToken(this.#deployer, demoNamespace, accounts.caller, this.#audience);
  }

  async callVerifier(call: Call): Promise<CallResult> {
    const { account, audience } = calls[call];
    const tokenFile = join(this.#folder, `token-${call}`);
    await writeFile(tokenFile, await workloadToken(this.#deployer, demoNamespace, account, audience), { mode: 0o600 });
    const args = [join(this.#folder, "client.mjs"), ...clientArgs(this.#verifier.url, tokenFile)];
    return new Promise((resolve) => {
      // The exit status adds nothing to the output.
      execFile(process.execPath, args, (_error, stdout) => resolve(callResult(stdout)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#verifier[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
    await deleteNamespace(this.#deployer);
  }
}
