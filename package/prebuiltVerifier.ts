/** Replaces verifier/bundle/bundle.ts in the library, which contains the built verifier, so users need no bundler. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundle } from "../verifier/bundle/bundle.ts";

/** Folder of the verifier's files in the npm package. */
export const verifierFolder = "verifier";

/** Reads the built verifier. The library is a CommonJS module at the root of its package. */
export async function bundleVerifier(): Promise<Pick<Bundle, "code" | "licenses">> {
  const read = (name: string) => readFile(join(__dirname, verifierFolder, name), "utf8");
  const [code, licenses] = await Promise.all([read("verifier.mjs"), read("verifier.licenses.txt")]);
  return { code, licenses };
}
