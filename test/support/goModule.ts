import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runGo } from "../../sandbox/go.ts";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "modules");

/**
 * The folder of a Go module that publishes what tests read: fetched once into Go's own cache, in the version that
 * `test/modules/go.mod` names, and checked against its `go.sum`.
 */
export async function goModule(path: string): Promise<string> {
  const { stdout } = await runGo(["mod", "download", "-json", path], { cwd: folder, env: process.env });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
