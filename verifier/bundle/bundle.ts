/** Bundles the service and the client into one ES module each, for a stock Node.js image. */
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
  /** SHA-256 of the code (UTF-8), hexadecimal. The same sources and dependencies give the same bytes in every folder. */
  readonly sha256: string;
  /** Packages whose code is in the bundle. */
  readonly contents: BundledPackages;
  /** esbuild, which adds helper functions. */
  readonly bundler: Package;
  /** Names, versions and license texts of `contents` and `bundler`, which must accompany copies of the code. */
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
    // Users audit the bundle.
    minify: false,
    legalComments: "eof",
    treeShaking: true,
    logLevel: "silent",
    // Settings of the machine must not change the output.
    tsconfigRaw: {},
    nodePaths: [],
    preserveSymlinks: true,
  });
  const [file] = result.outputFiles;
  if (!file) throw new Error(`esbuild created no output for ${entry}.`);
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
