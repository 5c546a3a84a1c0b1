/** Takes the place of verifier/bundle/bundle.ts in the library: the verifier is built with it, so users need no bundler. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bundle } from "../verifier/bundle/bundle.ts";

/** Folder of the verifier's files in the npm package. */
export const verifierFolder = "verifier";

/** The service, as it was built. The library is a CommonJS module at the root of its package. */
export async function bundleVerifier(): Promise<Pick<Bundle, "code" | "licenses">> {
  const read = (name: string) => readFile(join(__dirname, verifierFolder, name), "utf8");
  const [code, licenses] = await Promise.all([read("verifier.mjs"), read("verifier.licenses.txt")]);
  return { code, licenses };
}
