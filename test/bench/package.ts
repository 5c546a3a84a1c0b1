import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { startTimes } from "../../package/startTime.ts";
import manifest from "../../package.json" with { type: "json" };
import { buildPackages, installDependencies } from "../package/build.ts";
import { program } from "../support/project.ts";
import { Bench } from "./bench.ts";
import { BenchStack } from "./benchStack.ts";
import { median } from "./measure.ts";

const runtime = { name: "nodejs", options: { typescript: false } };

/**
 * Measures `pulumi up` of a user's project with the npm package's reviewer beside a bare Pulumi program with the same objects, in turns, and
 * how long the plugin takes to start. Ratios are what counts.
 */
export async function benchPackage(rounds = 10): Promise<void> {
  await using bench = await Bench.start();
  const { pulumi, sandbox, folder } = bench;
  const tarball = await buildPackages(join(folder, "built"));
  const main = await consumer(folder, tarball, pulumi.env);
  const path = join(main, "node_modules", "k8sauth", "plugin");
  const plugins = { providers: [{ name: "k8sauth", path }] };
  const bare = stringify({ name: "k8sauth", runtime, main: join(program, "test", "bench", "bare") });
  const own = stringify({ name: "k8sauth", runtime, main, plugins });
  const { kubeconfig } = sandbox;
  const contenders = [
    { name: "bare Pulumi program", stack: await BenchStack.make(bench, bare, { kubeconfig }) },
    { name: "npm package", stack: await BenchStack.make(bench, own, { kubeconfigPath: kubeconfig }) },
  ].map((contender) => ({ ...contender, fresh: [] as number[], unchanged: [] as number[] }));
  // The first round of each warms caches and is not counted.
  for (let round = 0; round <= rounds; round++) {
    for (const { stack, fresh, unchanged } of contenders) {
      const times = [await stack.operate("up"), await stack.operate("up")].map(({ seconds }) => seconds);
      await stack.operate("destroy");
      if (round === 0) continue;
      fresh.push(times[0] ?? 0);
      unchanged.push(times[1] ?? 0);
    }
  }
  console.log(`\nThe npm package's TokenReviewer, median of ${rounds} rounds`);
  for (const { name, fresh, unchanged } of contenders) {
    const figures = [`from nothing ${compared(fresh, contenders[0]?.fresh)}`];
    figures.push(`unchanged ${compared(unchanged, contenders[0]?.unchanged)}`);
    console.log(`  ${name.padEnd(20)} ${figures.join(", ")}`);
  }
  const times = await startTimes(join(path, "pulumi-resource-k8sauth"), Math.max(rounds, 10));
  console.log(`  plugin ready after ${median(times).toFixed(0)} ms`);
}

function compared(seconds: readonly number[], bare: readonly number[] = []): string {
  return `${median(seconds).toFixed(2)} s (${(median(seconds) / median(bare)).toFixed(2)} × bare)`;
}

/** A project of a user of the npm package, with its dependencies installed. Returns its folder. */
async function consumer(base: string, tarball: string, env: NodeJS.ProcessEnv): Promise<string> {
  const folder = join(base, "consumer");
  await mkdir(folder);
  await cp(join(program, "test", "package", "program.ts.txt"), join(folder, "index.ts"));
  const { "@pulumi/kubernetes": kubernetes, "@pulumi/pulumi": sdk, "@pulumi/tls": tls } = manifest.dependencies;
  const dependencies = { "@pulumi/kubernetes": kubernetes, "@pulumi/pulumi": sdk, "@pulumi/tls": tls };
  const own = { name: "consumer", main: "index.ts", type: "module" };
  const text = JSON.stringify({ ...own, dependencies: { ...dependencies, k8sauth: `file:${tarball}` } });
  await writeFile(join(folder, "package.json"), text);
  await installDependencies(folder, env);
  return folder;
}
