/** The packages as users get them. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { program } from "../support/project.ts";

const run = promisify(execFile);

/** Builds the packages into the folders `npm` and `plugin` of a folder. Returns the path of the npm package's tarball. */
export async function buildPackages(folder: string): Promise<string> {
  await run(process.execPath, [join(program, "package", "build.ts"), "--out", folder], { cwd: program });
  const library = join(folder, "npm");
  await run("npm", ["pack", "--pack-destination", folder, "--ignore-scripts"], { cwd: library });
  const { name, version } = JSON.parse(await readFile(join(library, "package.json"), "utf8"));
  return join(folder, `${name}-${version}.tgz`);
}

/** Installs the dependencies of a project, without their scripts: the plugins of the SDKs. */
export async function installDependencies(cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await run("npm", ["install", ...flags], { cwd, env });
}
