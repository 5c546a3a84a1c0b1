/** Which npm packages a bundle contains code of. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

export interface Package {
  /** Folder below the root, as the lock file names it: `node_modules/jose`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** The license that its package.json declares: an SPDX identifier or expression. */
  readonly license: string | undefined;
}

export interface BundledPackages {
  /** In the order of their paths. */
  readonly packages: readonly Package[];
  /** By path of the importing package, `""` for the repository's own code: paths of the packages that it imports. */
  readonly imports: ReadonlyMap<string, readonly string[]>;
}

/** Reads from esbuild's metafile which packages have code in the output; packages that were removed entirely do not count. */
export function bundledPackages({ inputs, outputs }: Metafile, root: string): BundledPackages {
  const imports = new Map<string, Set<string>>();
  for (const output of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs))
      if (bytesInOutput > 0) imports.set(packageOf(file), new Set());
  // Files that only export other files' code have no bytes in the output, but lead to a package that has.
  for (const [file, { imports: imported }] of Object.entries(inputs))
    for (const { path, external } of imported) {
      const [from, to] = [packageOf(file), packageOf(path)];
      if (!external && from !== to && imports.has(to)) imports.get(from)?.add(to);
    }
  const paths = [...imports.keys()].filter((path) => path !== "").sort();
  return {
    packages: paths.map((path) => readPackage(root, path)),
    imports: new Map(["", ...paths].map((path) => [path, [...(imports.get(path) ?? [])].sort()])),
  };
}

export function readPackage(root: string, path: string): Package {
  const { name, version, license } = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
  return { path, name, version, license: typeof license === "string" ? license : undefined };
}

/** Folder of the package that a file belongs to; `""` outside of packages. */
function packageOf(file: string): string {
  return /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0] ?? "";
}
