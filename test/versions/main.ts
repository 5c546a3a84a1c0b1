/**
 * `npm run test:versions [-- [VERSION…] [--file FILTER]… [--clean]]`: the cluster tests on each version of Kubernetes in turn, without
 * versions on all. `--file` takes a part of test files' paths. `--clean` keeps the compiler's objects of a version apart and removes them
 * once the binary is built: 2 to 3 GB each. Exit status: 0 all passed, 1 a test failed, 2 wrong usage.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cacheHome } from "../../sandbox/build/paths.ts";
import {
  ensureBinary,
  type KubernetesVersion,
  kubernetesVersions,
  progressPrinter,
  SandboxError,
  selectedKubernetes,
} from "../../sandbox/index.ts";
import { program } from "../support/project.ts";
import { type Outcome, outcomeOf, table } from "./report.ts";

interface Run {
  readonly versions: readonly KubernetesVersion[];
  readonly files: readonly string[];
  readonly clean: boolean;
}

function readArguments(): Run {
  const { values, positionals } = parseArgs({
    options: { clean: { type: "boolean", default: false }, file: { type: "string", multiple: true, default: [] } },
    allowPositionals: true,
  });
  const asked = positionals.flatMap((kubernetes) => selectedKubernetes({ kubernetes }) ?? []);
  return { versions: asked.length > 0 ? asked : kubernetesVersions(), files: values.file, clean: values.clean };
}

/** Builds a version with a build cache that holds nothing else, and removes that cache; a killed build continues in it. */
async function buildClean({ version, minor }: KubernetesVersion): Promise<void> {
  const objects = join(cacheHome(process.env), "go-build", minor);
  await build(version, { ...process.env, GOCACHE: objects });
  rmSync(objects, { recursive: true, force: true });
}

async function build(kubernetes: string, env: NodeJS.ProcessEnv): Promise<void> {
  const printer = progressPrinter((text) => process.stderr.write(text), process.stderr.isTTY);
  try {
    await ensureBinary({ kubernetes, env, onProgress: printer.onProgress });
  } finally {
    printer.finish();
  }
}

async function testOn(kubernetes: KubernetesVersion, { files, clean }: Run): Promise<Outcome> {
  const { version } = kubernetes;
  process.stderr.write(`\nKubernetes ${version}\n`);
  try {
    await (clean ? buildClean(kubernetes) : build(version, process.env));
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    return { version, passed: 0, failed: 1, skipped: 0, failing: [`build: ${error.message}`] };
  }
  const folder = mkdtempSync(join(tmpdir(), "k8sauth-versions-"));
  const report = join(folder, "report.json");
  try {
    const vitest = join(program, "node_modules", "vitest", "vitest.mjs");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const { status, signal } = spawnSync(
      process.execPath,
      [vitest, "run", "--project", "cluster", ...reporters, ...files],
      { cwd: program, stdio: "inherit", env: { ...process.env, K8SAUTH_KUBERNETES: version } },
    );
    return outcomeOf(version, readReport(report), status ?? signal, program);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Absent where the run ended before its tests did. */
function readReport(path: string) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

try {
  const run = readArguments();
  const outcomes: Outcome[] = [];
  for (const version of run.versions) outcomes.push(await testOn(version, run));
  process.stdout.write(`\n${table(outcomes)}`);
  process.exitCode = outcomes.every(({ failed }) => failed === 0) ? 0 : 1;
} catch (error) {
  const usage =
    error instanceof TypeError || (error instanceof SandboxError && error.code === "SANDBOX_OPTION_INVALID");
  if (!usage) throw error;
  console.error(`${error.message}\nUsage: npm run test:versions [-- [VERSION…] [--file FILTER]… [--clean]]`);
  process.exitCode = 2;
}
