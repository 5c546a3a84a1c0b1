import type { TestProject } from "vitest/node";
import { canRunNode, progressPrinter, startSandbox } from "../../sandbox/index.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Folder of the sandbox with a node that all node tests share; empty where none can run. */
    nodeSandboxDir: string;
    /** Requirements of a node that this machine lacks, so that the tests are skipped. Empty if there is none. */
    nodeMissing: readonly string[];
  }
}

/** One sandbox with a node for all node tests, and the Pulumi CLI. The sandbox dies with the test run, however that ends. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const support = canRunNode();
  project.provide("nodeMissing", support.ok ? [] : support.missing);
  if (!support.ok) {
    project.provide("nodeSandboxDir", "");
    process.stderr.write(`No node can run here, its tests are skipped. Missing: ${support.missing.join(", ")}\n`);
    return async () => {};
  }
  const print = (text: string) => process.stderr.write(text);
  const printer = progressPrinter(print, false);
  await ensurePulumi({ onProgress: printer.onProgress, onNotice: (line) => print(`${line}\n`) });
  const sandbox = await startSandbox({ ephemeral: true, node: true, onProgress: printer.onProgress });
  printer.finish();
  project.provide("nodeSandboxDir", sandbox.dir);
  return () => sandbox.stop();
}
