import type { TestProject } from "vitest/node";
import { progressPrinter, startSandbox } from "../../sandbox/index.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Kubeconfigs of the control planes that cluster tests share, one for each worker. */
    kubeconfigs: readonly string[];
  }
}

/** How many test files run at the same time. A third one would wait for the processors of a small machine. */
export const workers = 2;

/** A control plane for each worker, and the Pulumi CLI. The control planes die with the test run, however that ends. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const print = (text: string) => process.stderr.write(text);
  const { onProgress } = progressPrinter(print, false);
  await ensurePulumi({ onProgress, onNotice: (line) => print(`${line}\n`) });
  const first = await startSandbox({ ephemeral: true, onProgress });
  const others = await Promise.all(Array.from({ length: workers - 1 }, () => startSandbox({ ephemeral: true })));
  const sandboxes = [first, ...others];
  project.provide(
    "kubeconfigs",
    sandboxes.map(({ kubeconfig }) => kubeconfig),
  );
  return async () => {
    await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  };
}
