// `npm test`: brings what is missing, checks types and style, then runs the tests. Arguments go to vitest.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { capable, install, root, runOnBundledNode } from "../cli/install.mjs";

await install();
if (!capable) runOnBundledNode(fileURLToPath(import.meta.url), process.argv.slice(2));
else process.exitCode = await run(process.argv.slice(2));

/** Checks the sources and runs the tests. Returns the exit status. */
async function run(args) {
  const modules = join(root, "node_modules");
  const checks = [
    [join(modules, "typescript", "bin", "tsc"), "--noEmit"],
    [join(modules, "@biomejs", "biome", "bin", "biome"), "check", "."],
  ];
  for (const check of checks) {
    const { status } = spawnSync(process.execPath, check, { cwd: root, stdio: "inherit" });
    if (status !== 0) return status ?? 1;
  }
  return args.length > 0 ? vitest(["run", ...args], "inherit") : everything();
}

/**
 * Runs all tests. The tests on a node mostly wait for kubelet, so they run beside the others in a second process. Its output follows at the
 * end, then the results of both.
 */
async function everything() {
  const reports = mkdtempSync(join(tmpdir(), "k8sauth-test-"));
  try {
    const blob = (name) => ["--reporter=blob", `--outputFile.blob=${join(reports, name)}`];
    const log = join(reports, "node.log");
    const node = vitest(["run", "--project=node", "--reporter=default", ...blob("node.json")], openSync(log, "w"));
    const others = vitest(["run", "--project=!node", "--reporter=default", ...blob("others.json")], "inherit");
    const statuses = await Promise.all([node, others]);
    process.stdout.write(readFileSync(log));
    rmSync(log);
    const merged = await vitest(["run", `--merge-reports=${reports}`], "inherit");
    return merged || Math.max(...statuses);
  } finally {
    rmSync(reports, { recursive: true });
  }
}

async function vitest(args, output) {
  const script = join(root, "node_modules", "vitest", "vitest.mjs");
  const child = spawn(process.execPath, [script, ...args], { cwd: root, stdio: ["ignore", output, output] });
  const [status] = await once(child, "close");
  return status ?? 1;
}
