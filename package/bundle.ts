/** The bundler of the npm package and of the plugin. */
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { licenseTexts } from "../verifier/bundle/licenses.ts";
import { bundledPackages, type Package, readPackage } from "../verifier/bundle/packages.ts";

/** Root of the repository. */
export const root = dirname(import.meta.dirname);

/** Files of a package: paths from its root, with contents. */
export type Files = ReadonlyMap<string, FileContent>;

export interface FileContent {
  readonly text: string;
  readonly executable?: boolean;
}

export interface Bundled {
  /** JavaScript. */
  readonly code: string;
  readonly metafile: Metafile;
}

/** Bundles one module and everything that it imports into one readable file. Equal sources give equal bytes in any folder. */
export async function bundle(options: BuildOptions & { readonly entryPoints: [string] }): Promise<Bundled> {
  const result = await build({
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node24",
    charset: "utf8",
    // For stack traces and audits.
    minify: false,
    legalComments: "eof",
    logLevel: "silent",
    tsconfigRaw: {},
    nodePaths: [],
    preserveSymlinks: true,
    ...options,
  });
  const [file] = result.outputFiles ?? [];
  if (!file || !result.metafile) throw new Error(`esbuild wrote no file for ${options.entryPoints}.`);
  return { code: file.text, metafile: result.metafile };
}

/** Replaces imports of the modules that match `filter` with another module or, if `external`, with a file that exists at run time. */
export function replaceImports(name: string, filter: RegExp, path: string, external: boolean): Plugin {
  return { name, setup: (build) => build.onResolve({ filter }, () => ({ path, external })) };
}

/** Options that replace the verifier and its bundler by the built verifier in `folder`, a path from the bundle. */
export function withPrebuiltVerifier(folder: string): {
  readonly plugins: Plugin[];
  readonly define: { VERIFIER_FOLDER: string };
} {
  const prebuilt = join(root, "package", "prebuiltVerifier.ts");
  const plugin = replaceImports("verifier", /\/verifier\/bundle\/bundle\.ts$/, prebuilt, false);
  return { plugins: [plugin], define: { VERIFIER_FOLDER: JSON.stringify(folder) } };
}

/** Packages that offer a choice of licenses: the choice in their package.json, and the license that the bundles use. */
const chosenLicenses: Readonly<Record<string, { readonly declared: string; readonly license: string }>> = {
  "node-forge": { declared: "(BSD-3-Clause OR GPL-2.0)", license: "BSD-3-Clause" },
};

/** The package with the chosen license. If its package.json declares another choice now, that declaration is kept. */
function underChosenLicense(one: Package): Package {
  const choice = chosenLicenses[one.name];
  return choice && choice.declared === one.license ? { ...one, license: choice.license } : one;
}

/** Names, versions and license texts of the packages whose code the bundles contain, esbuild's helpers included. */
export function licensesOf(bundles: readonly Bundled[]): string {
  const packages = bundles.flatMap(({ metafile }) => bundledPackages(metafile, root).packages);
  const unique = new Map([...packages, readPackage(root, "node_modules/esbuild")].map((one) => [one.path, one]));
  const sorted = [...unique.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return licenseTexts(sorted.map(underChosenLicense), root);
}
