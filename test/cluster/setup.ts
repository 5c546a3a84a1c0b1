import type { TestProject } from "vitest/node";
import { progressPrinter, startSandbox } from "../../sandbox/index.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The kubeconfig of the sandbox that all cluster tests share: `inject("kubeconfig")`. */
    kubeconfig: string;
  }
}

/** One sandbox for all cluster tests; it dies with the test run, however that ends. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const printer = progressPrinter((text) => process.stderr.write(text), false);
  const sandbox = await startSandbox({ ephemeral: true, onProgress: printer.onProgress });
  printer.finish();
  project.provide("kubeconfig", sandbox.kubeconfig);
  return () => sandbox.stop();
}
