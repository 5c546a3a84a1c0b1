// `npm test`: brings what is missing, checks types and style, then runs the tests. Arguments go to vitest.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capable, install, root, runOnBundledNode } from "../cli/install.mjs";

await install();
if (!capable) runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
else {
  const modules = join(root, "node_modules");
  const steps = [
    [join(modules, "typescript", "bin", "tsc"), "--noEmit"],
    [join(modules, "@biomejs", "biome", "bin", "biome"), "check", "."],
    [join(modules, "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)],
  ];
  for (const [script, ...args] of steps) {
    const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: "inherit" });
    if (status !== 0) process.exit(status ?? 1);
  }
}
