import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runGo } from "../../sandbox/build/go.ts";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "modules");

/**
 * Downloads a Go module whose files tests read into Go's module cache, and returns its folder. The `go.mod` of `of` has its version, and
 * `go.sum` its hash.
 *
 * @param of folder of a module that requires it @default test/modules
 */
export async function goModule(path: string, of = folder): Promise<string> {
  const { stdout } = await runGo(["mod", "download", "-json", path], { cwd: of, env: process.env });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
