import type { BuildOptions } from "../../sandbox/build/build.ts";
import { progressPrinter } from "../../sandbox/index.ts";

/** Shows how far the first build of a gateway is, which takes minutes. */
export function buildProgress(): BuildOptions {
  const { onProgress } = progressPrinter((text) => process.stderr.write(text), false);
  return { onProgress };
}
