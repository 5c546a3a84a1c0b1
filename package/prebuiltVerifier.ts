/** Replaces verifier/bundle/bundle.ts in the library, which contains the built verifier, so users need no bundler. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundle } from "../verifier/bundle/bundle.ts";

declare const VERIFIER_FOLDER: string;

/** Reads the built verifier from the folder that the build defines, a path from the bundle. Both bundles are CommonJS. */
export async function bundleVerifier(): Promise<Pick<Bundle, "code" | "licenses">> {
  const read = (name: string) => readFile(join(__dirname, VERIFIER_FOLDER, name), "utf8");
  const [code, licenses] = await Promise.all([read("verifier.mjs"), read("verifier.licenses.txt")]);
  return { code, licenses };
}
