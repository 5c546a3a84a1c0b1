/** Replaces verifier/bundle/bundle.ts in the library and in the plugin. Both contain the built verifier, so users need no bundler. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundle } from "../verifier/bundle/bundle.ts";

declare const VERIFIER_FOLDER: string;

/** Reads the built verifier from the folder that the build defines. It is relative to the bundle, which is CommonJS and has `__dirname`. */
export async function bundleVerifier(): Promise<Pick<Bundle, "code" | "licenses">> {
  const read = (name: string) => readFile(join(__dirname, VERIFIER_FOLDER, name), "utf8");
  const [code, licenses] = await Promise.all([read("verifier.mjs"), read("verifier.licenses.txt")]);
  return { code, licenses };
}
