/** Makes the one-file ES modules that run on a stock Node.js image. */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { licenseTexts } from "./licenses.ts";
import { type BundledPackages, bundledPackages, type Package, readPackage } from "./packages.ts";

export { nodeFlags } from "../nodeFlags.ts";

export interface Bundle {
  readonly name: "verifier" | "client";
  /** An ES module in plain, readable JavaScript. */
  readonly code: string;
  /** SHA-256 of the code (UTF-8), hexadecimal: equal sources and dependencies give equal bytes, in whatever folder they are. */
  readonly sha256: string;
  /** The packages that it contains code of. */
  readonly contents: BundledPackages;
  /** esbuild, which inserts its helper functions. */
  readonly bundler: Package;
  /** Names, versions and license texts of `contents` and `bundler`: copies of the code must be accompanied by them. */
  readonly licenses: string;
}

const folder = dirname(import.meta.dirname);
const root = dirname(folder);

/** The service. */
export function bundleVerifier(): Promise<Bundle> {
  return bundle("verifier", "main.ts");
}

/** The client's command. */
export function bundleClient(): Promise<Bundle> {
  return bundle("client", join("client", "main.ts"));
}

async function bundle(name: Bundle["name"], entry: string): Promise<Bundle> {
  const result = await build({
    entryPoints: [join(folder, entry)],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node24",
    format: "esm",
    charset: "utf8",
    // Auditors read it.
    minify: false,
    legalComments: "eof",
    treeShaking: true,
    logLevel: "silent",
    // Nothing of this machine may change the output.
    tsconfigRaw: {},
    nodePaths: [],
    preserveSymlinks: true,
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error(`esbuild made no output for ${entry}`);
  const contents = bundledPackages(result.metafile, root);
  const bundler = readPackage(root, "node_modules/esbuild");
  return {
    name,
    code: file.text,
    sha256: createHash("sha256").update(file.text).digest("hex"),
    contents,
    bundler,
    licenses: licenseTexts([...contents.packages, bundler], root),
  };
}
