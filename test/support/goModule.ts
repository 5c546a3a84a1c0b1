import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runGo } from "../../sandbox/build/go.ts";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "modules");

/**
 * The folder of a Go module that publishes what tests read: fetched once into Go's own cache, in the version that the `go.mod` of
 * `of` names, and checked against its `go.sum`.
 *
 * @param of a module's folder @default test/modules
 */
export async function goModule(path: string, of = folder): Promise<string> {
  const { stdout } = await runGo(["mod", "download", "-json", path], { cwd: of, env: process.env });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
