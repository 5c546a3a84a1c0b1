import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KubeClient } from "../../kubernetes/index.ts";
import { workloadToken } from "../../kubernetes/reviews.ts";
import { bundleClient } from "../../verifier/bundle/bundle.ts";
import {
  type Answer,
  accounts,
  audiences,
  type Call,
  calls,
  clientArgs,
  deleteLodging,
  type FromOutputs,
  lastLine,
  lodging,
  type Workloads,
} from "./scene.ts";
import { VerifierProcess } from "./verifierProcess.ts";

/** Without a node: tokens by TokenRequest, and the same bundles as processes of this machine. */
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

  static async make({ access }: FromOutputs, deployer: KubeClient): Promise<Processes> {
    const folder = await mkdtemp(join(tmpdir(), "k8sauth-start-"));
    try {
      await writeFile(join(folder, "client.mjs"), (await bundleClient()).code);
      const verifier = await VerifierProcess.start(folder, access, {
        audience: [audiences.own],
        allow: [`${lodging}/${accounts.caller}`],
      });
      return new Processes(deployer, verifier, folder, access.audience);
    } catch (error) {
      // The reviewer's token is among the files.
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  gatewayToken(): Promise<string> {
    return workloadToken(this.#deployer, lodging, accounts.caller, this.#audience);
  }

  async callVerifier(call: Call): Promise<Answer> {
    const { account, audience } = calls[call];
    const tokenFile = join(this.#folder, `token-${call}`);
    await writeFile(tokenFile, await workloadToken(this.#deployer, lodging, account, audience), { mode: 0o600 });
    const args = [join(this.#folder, "client.mjs"), ...clientArgs(this.#verifier.url, tokenFile)];
    return new Promise((resolve) => {
      // Its exit status says the same as its line.
      execFile(process.execPath, args, (_ended, stdout) => resolve(lastLine(stdout)));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#verifier[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
    await deleteLodging(this.#deployer);
  }
}
