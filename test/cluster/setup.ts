import type { TestProject } from "vitest/node";
import { type Progress, progressPrinter, type Sandbox, startSandbox } from "../../sandbox/index.ts";
import { ensurePulumi } from "../../sandbox/pulumi/index.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Kubeconfigs of the control planes that cluster tests share, one for each worker. */
    kubeconfigs: readonly string[];
  }
}

/** How many test files run at the same time. A third one would wait for the processors of a small machine. */
export const workers = 2;

interface ControlPlanes {
  readonly sandboxes: Promise<readonly Sandbox[]>;
  /** Number of projects that use them. */
  users: number;
}

/** Vitest loads this module once for each project. */
const globals = globalThis as { k8sauthControlPlanes?: ControlPlanes };

/**
 * A control plane for each worker, and the Pulumi CLI. The projects of a run share the control planes: even an idle one takes a twentieth of
 * a processor. They die with the test run, however that ends.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const print = (text: string) => process.stderr.write(text);
  const { onProgress } = progressPrinter(print, false);
  await ensurePulumi({ onProgress, onNotice: (line) => print(`${line}\n`) });
  globals.k8sauthControlPlanes ??= { sandboxes: start(onProgress), users: 0 };
  const shared = globals.k8sauthControlPlanes;
  shared.users += 1;
  const sandboxes = await shared.sandboxes;
  project.provide(
    "kubeconfigs",
    sandboxes.map(({ kubeconfig }) => kubeconfig),
  );
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    globals.k8sauthControlPlanes = undefined;
    await Promise.all(sandboxes.map((sandbox) => sandbox.stop()));
  };
}

async function start(onProgress: (progress: Progress) => void): Promise<readonly Sandbox[]> {
  const first = await startSandbox({ ephemeral: true, onProgress });
  const others = await Promise.all(Array.from({ length: workers - 1 }, () => startSandbox({ ephemeral: true })));
  return [first, ...others];
}
