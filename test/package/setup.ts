import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import setupClusters from "../cluster/setup.ts";
import { program } from "../support/project.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Folder of the build: `npm`, `plugin` and the tarball `package.tgz`. */
    built: { readonly folder: string; readonly tarball: string };
  }
}

const run = promisify(execFile);

/** A control plane for each worker, the Pulumi CLI, and the packages as users get them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stop = await setupClusters(project);
  const folder = await mkdtemp(join(tmpdir(), "k8sauth-package-"));
  await run(process.execPath, [join(program, "package", "build.ts"), "--out", folder], { cwd: program });
  const library = join(folder, "npm");
  await run("npm", ["pack", "--pack-destination", folder, "--ignore-scripts"], { cwd: library });
  const { name, version } = JSON.parse(await readFile(join(library, "package.json"), "utf8"));
  project.provide("built", { folder, tarball: join(folder, `${name}-${version}.tgz`) });
  return async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
}
