/** Finds the npm packages whose code is in a bundle. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

export interface Package {
  /** Folder in the repository, as in the lock file: `node_modules/jose`. */
  readonly path: string;
  readonly name: string;
  readonly version: string;
  /** The license that its package.json declares: an SPDX identifier or expression. */
  readonly license: string | undefined;
}

export interface BundledPackages {
  /** Ordered by path. */
  readonly packages: readonly Package[];
  /** Paths of imported packages, by path of the importing one. The repository's own code has the path `""`. */
  readonly imports: ReadonlyMap<string, readonly string[]>;
}

/** Reads esbuild's metafile. Packages without code in the output are omitted. */
export function bundledPackages({ inputs, outputs }: Metafile, root: string): BundledPackages {
  const imports = new Map<string, Set<string>>();
  for (const output of Object.values(outputs))
    for (const [file, { bytesInOutput }] of Object.entries(output.inputs))
      if (bytesInOutput > 0) imports.set(packageOf(file), new Set());
  // A file that only re-exports has no bytes in the output, but can import a package that has.
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
