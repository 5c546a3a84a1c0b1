/** Resources of a benchmark of `pulumi up`: the Pulumi CLI, a cluster and a temporary folder. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { progressPrinter, type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { ensurePulumi, type Pulumi } from "../../sandbox/pulumi/index.ts";

export class Bench implements AsyncDisposable {
  readonly pulumi: Pulumi;
  readonly sandbox: Sandbox;
  readonly folder: string;

  private constructor(pulumi: Pulumi, sandbox: Sandbox, folder: string) {
    this.pulumi = pulumi;
    this.sandbox = sandbox;
    this.folder = folder;
  }

  static async start(): Promise<Bench> {
    const printer = progressPrinter((text) => process.stderr.write(text), process.stderr.isTTY);
    const pulumi = await ensurePulumi({ onProgress: printer.onProgress });
    const sandbox = await startSandbox({ ephemeral: true, onProgress: printer.onProgress });
    printer.finish();
    return new Bench(pulumi, sandbox, await mkdtemp(join(tmpdir(), "k8sauth-bench-")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sandbox.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
