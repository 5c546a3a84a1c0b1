/** Takes the place of verifier/bundle/bundle.ts in the library: the verifier is built with it, so users need no bundler. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundle } from "../verifier/bundle/bundle.ts";

declare const VERIFIER_FOLDER: string;

/** The service, as it was built. The build defines its folder, which is beside the module or below it: both are CommonJS. */
export async function bundleVerifier(): Promise<Pick<Bundle, "code" | "licenses">> {
  const read = (name: string) => readFile(join(__dirname, VERIFIER_FOLDER, name), "utf8");
  const [code, licenses] = await Promise.all([read("verifier.mjs"), read("verifier.licenses.txt")]);
  return { code, licenses };
}
