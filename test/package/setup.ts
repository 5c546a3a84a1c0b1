import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import setupClusters from "../cluster/setup.ts";
import { buildPackages } from "./build.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Folder of the build: `npm`, `plugin` and the tarball `package.tgz`. */
    built: { readonly folder: string; readonly tarball: string };
  }
}

/** A control plane for each worker, the Pulumi CLI, and the packages as users get them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stop = await setupClusters(project);
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-package-"));
  project.provide("built", { folder, tarball: await buildPackages(folder) });
  return async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
}
